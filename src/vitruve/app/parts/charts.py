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
        figure: Its texts are shown as they are; markup is in its templates alone, and those hold no names.
        key: Unique on the page.
        **how: Further arguments of ``st.plotly_chart``.
    """
    st.plotly_chart(literal(figure), key=key, **how)


def literal(figure: go.Figure) -> go.Figure:
    """A figure whose texts are no markup: plotly reads ``<b>``, ``<br>``, links and entities in every text.

    Args:
        figure: Names of runs, keypoints and files may stand anywhere in it but in its templates.

    Returns:
        A copy.
    """
    return go.Figure(_escaped(figure.to_dict()))


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return escape(value, quote=False)
        case dict():
            return {name: each if name.endswith("template") else _escaped(each) for name, each in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
        case np.ndarray() if value.dtype.kind in "OU":
            return np.array([_escaped(each) for each in value.ravel().tolist()], object).reshape(value.shape)
        case _:
            return value
