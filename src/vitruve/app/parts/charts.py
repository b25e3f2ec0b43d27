"""Figures on a page: names in them stay what they are."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st


def chart(figure: go.Figure, key: str, **how: Any) -> None:
    """Show a figure.

    Args:
        figure: Its texts are shown as they are; markup is in its templates alone, and those hold no names. It is
            changed as :func:`literal` says, so show it once.
        key: Unique on the page.
        **how: Further arguments of ``st.plotly_chart``.
    """
    st.plotly_chart(literal(figure), key=key, **how)


def literal(figure: go.Figure) -> go.Figure:
    """Make all texts of a figure no markup: plotly reads ``<b>``, ``<br>``, links and entities in every text.

    Args:
        figure: Names of runs, keypoints and files may stand anywhere in it but in its templates. Its texts are
            replaced.

    Returns:
        The same figure.
    """
    # Plotly's public ways to all that is set copy each value, and there may be hundreds of thousands.
    for part in (*figure.data, figure.layout):
        _escaped(part._props)
    return figure


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return escape(value, quote=False)
        case dict():
            for name, each in value.items():
                if not name.endswith("template"):
                    value[name] = _escaped(each)
            return value
        case list() | tuple():
            return [_escaped(each) for each in value]
        case np.ndarray() if value.dtype.kind in "OU":
            texts = value.ravel().tolist()
            said = "".join(each for each in texts if isinstance(each, str))
            if not any(sign in said for sign in "&<>"):
                return value
            return np.array([_escaped(each) for each in texts], object).reshape(value.shape)
        case _:
            return value
