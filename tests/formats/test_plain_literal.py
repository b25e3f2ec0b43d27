"""Pickled attributes are taken apart, never loaded."""

from __future__ import annotations

import contextlib
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruve.formats.plain_literal import plain_literal

LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.lists(inner).map(tuple), max_leaves=12)


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
@settings(max_examples=40, deadline=None)
def test_plain_values_come_back(value: object, protocol: int) -> None:
    assert plain_literal(pickle.dumps(value, protocol)) == value


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [Attack(), [Attack()], np.str_("a"), {1: 2}, {1}, os.mkdir])
def test_anything_else_is_refused(value: object, protocol: int, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="more than plain values"):
        plain_literal(pickle.dumps(value, protocol))
    assert not list(tmp_path.iterdir())


@given(st.binary(max_size=60))
def test_rubbish_never_fails_otherwise(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        plain_literal(data)


@given(VALUES, st.data())
@settings(max_examples=40, deadline=None)
def test_cut_short_is_refused(value: object, data: st.DataObject) -> None:
    whole = pickle.dumps(value, 0)
    with pytest.raises(ValueError):
        plain_literal(whole[: data.draw(st.integers(0, len(whole) - 1))])
