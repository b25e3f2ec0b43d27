from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitruve.errors import InputError, RunError
from vitruve.training.checkpoint import SafetensorsCheckpoints, load_checkpoint, save_checkpoint

plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"))
)
tensors = st.builds(
    lambda shape, kind, seed: (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 100).to(kind),
    st.lists(st.integers(0, 3), max_size=4).map(tuple),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]),
    st.integers(0, 9),
)
keys = st.one_of(st.text(st.characters(codec="utf-8")), st.integers(), st.booleans(), st.tuples(st.integers()))
nested = st.recursive(
    st.one_of(plain, tensors),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple), st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        # Keys such as 1 and True are equal: compare pair by pair.
        pairs = zip(one.items(), other.items(), strict=True)
        return len(one) == len(other) and all(same(list(a), list(b)) for a, b in pairs)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(keys, nested, max_size=4))
def test_what_goes_in_comes_out(tmp_path: Path, checkpoint: dict[Any, Any]) -> None:
    save_checkpoint(checkpoint, tmp_path / "last.safetensors")
    assert same(load_checkpoint(tmp_path / "last.safetensors"), checkpoint)


def test_shared_and_strided_tensors(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(2, 3, 2, 2)
    checkpoint = {"a": base, "b": base, "c": base[:, 1:], "d": base.contiguous(memory_format=torch.channels_last)}
    io, path = SafetensorsCheckpoints(), tmp_path / "deep" / "last.safetensors"
    io.save_checkpoint(checkpoint, path)
    assert same(io.load_checkpoint(path), checkpoint)
    io.remove_checkpoint(path)
    assert not path.exists()


def test_it_is_safetensors_and_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint({"state": torch.ones(2), "n": 1}, path)
    head = path.read_bytes()
    length = int.from_bytes(head[:8], "little")
    assert head[8 : 8 + length].decode().startswith('{"__metadata__"')
    for kind in (object(), {1, 2}, b"bytes", lambda: None):
        with pytest.raises(TypeError, match="a checkpoint cannot hold"):
            save_checkpoint({"state": kind}, path)
    assert same(load_checkpoint(path), {"state": torch.ones(2), "n": 1}), "the old file is as it was"


@pytest.mark.parametrize("value", [np.float64(0.25), np.str_("x")])
def test_numpy_scalars_become_plain(tmp_path: Path, value: Any) -> None:
    save_checkpoint({"v": value}, tmp_path / "c.safetensors")
    found = load_checkpoint(tmp_path / "c.safetensors")["v"]
    assert found == value and type(found) in (float, str)


@pytest.mark.parametrize("content", [b"", b"0123456789", None])
def test_a_damaged_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint({"state": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    with pytest.raises(RunError, match=r"last\.safetensors: not a checkpoint to go on from") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.safetensors"
    save_checkpoint({"n": 1}, path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"last\.safetensors: the disk is full; nothing was replaced"):
        save_checkpoint({"n": 2}, path)
    assert load_checkpoint(path) == {"n": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_library_says_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    """The library raises its own kind of error; a bound of the size of files makes it do so without a full disk."""
    path = tmp_path / "last.safetensors"
    save_checkpoint({"n": 1}, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError) as caught:
            save_checkpoint({"n": torch.zeros(1_000_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert load_checkpoint(path) == {"n": 1}
    assert list(tmp_path.iterdir()) == [path]
