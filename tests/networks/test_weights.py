from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vitruve.errors import RunError
from vitruve.networks.weights import load_exactly, load_matching, read_weights

PATH = Path("w.safetensors")


def _net(hidden: int = 4) -> nn.Module:
    block = nn.Sequential(nn.Linear(4, hidden), nn.BatchNorm1d(hidden))
    return nn.ModuleDict(
        {"first": nn.BatchNorm1d(4), "layer": nn.ModuleDict({"first": nn.BatchNorm1d(4)}), "block": block}
    )


def _filled(module: nn.Module, value: float) -> dict[str, torch.Tensor]:
    return {name: torch.full_like(tensor, value) for name, tensor in module.state_dict().items()}


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(2, 3), "b.c": torch.arange(4), "d": torch.randn(2).bfloat16()}
    save_file(tensors, tmp_path / PATH)
    found = read_weights(tmp_path / PATH)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[key], tensors[key]) and found[key].dtype == tensors[key].dtype for key in tensors)


@pytest.mark.parametrize("modern", [True, False])
def test_a_pickle_is_refused_unread(tmp_path: Path, modern: bool) -> None:
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, stream, _use_new_zipfile_serialization=modern)
    (tmp_path / PATH).write_bytes(stream.getvalue())
    with pytest.raises(RunError, match=r"w\.safetensors: this is a Python pickle, which can run any code"):
        read_weights(tmp_path / PATH)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_bare_pickle_of_any_protocol_is_refused(tmp_path: Path, protocol: int) -> None:
    (tmp_path / PATH).write_bytes(b"\x80" + bytes([protocol]) + b"N.")
    with pytest.raises(RunError, match="Python pickle"):
        read_weights(tmp_path / PATH)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100, b"(dp0\n."])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PATH).write_bytes(content)
    with pytest.raises(RunError, match="not a whole safetensors file") as caught:
        read_weights(tmp_path / PATH)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_and_one_that_is_not_there(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(100)}, tmp_path / PATH)
    (tmp_path / PATH).write_bytes((tmp_path / PATH).read_bytes()[:-4])
    with pytest.raises(RunError, match="not a whole safetensors file"):
        read_weights(tmp_path / PATH)
    for path in (tmp_path / "other", tmp_path):
        with pytest.raises(RunError, match="no such weight file"):
            read_weights(path)


def test_weights_that_must_fit_do_so_exactly() -> None:
    net = _net()
    weights = _filled(net, 2.0)
    load_exactly(net, weights, PATH)
    assert all(bool((tensor == 2).all()) for tensor in net.state_dict().values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("first.weight"), r"1 tensors missing, 0 unknown, 0 of another shape \(first: first\.weight\)"),
        (lambda w: w.update(x=torch.zeros(1)), r"0 tensors missing, 1 unknown, 0 of another shape \(first: x\)"),
        (lambda w: w.update({"first.bias": torch.zeros(9)}), r"1 of another shape \(first: first\.bias\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(change, message: str) -> None:  # type: ignore[no-untyped-def]
    net = _net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    weights = _filled(net, 2.0)
    change(weights)
    with pytest.raises(RunError, match=rf"w\.safetensors: weights of another network: .*{message}; .*train it again"):
        load_exactly(net, weights, PATH)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_names_that_end_alike_are_not_mixed_up() -> None:
    net = _net()
    # 'x.layer.first.weight' ends like 'first.weight', has its shape, and comes earlier in the file.
    weights = dict(sorted({f"x.{name}": tensor for name, tensor in _filled(net, 2.0).items()}.items(), reverse=True))
    for name in weights:
        if name.startswith("x.layer."):
            weights[name] = weights[name] + 1
    assert load_matching(net, weights, PATH) == "17 of 17 tensors taken, the others keep their initial values"
    state = net.state_dict()
    assert float(state["first.weight"][0]) == 2 and float(state["layer.first.weight"][0]) == 3


def test_parts_that_do_not_fit_keep_their_values() -> None:
    torch.manual_seed(0)
    net = _net(hidden=4)
    other = _filled(_net(hidden=6), 2.0)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    report = load_matching(net, other, PATH)
    assert report == "11 of 17 tensors taken, the others (first: block.0.weight) keep their initial values"
    after = net.state_dict()
    assert bool((after["first.weight"] == 2).all())
    assert torch.equal(after["block.0.weight"], before["block.0.weight"])


def test_too_little_that_fits_is_refused() -> None:
    net = _net()
    few = dict(list(_filled(net, 2.0).items())[:8])
    with pytest.raises(RunError, match=r"w\.safetensors: only 8 of 17 tensors fit this network"):
        load_matching(net, few, PATH)
    with pytest.raises(RunError, match="only 0 of 17"):
        load_matching(net, {}, PATH)
