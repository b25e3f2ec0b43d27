"""Maps by HyperPose's names: all algorithms, both generations, and what comes back of their targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitruve.compat.hyperpose import Config, Model
from vitruve.compat.hyperpose.dialect import dialect_of
from vitruve.compat.hyperpose.weights import load, save
from vitruve.errors import InputError, RunError

KINDS = list(Config.MODEL)
HEIGHT, WIDTH = 96, 128


def config_of(kind: Any, **more: Any) -> Any:
    Config.set_model_type(kind)
    Config.set_model_backbone(Config.BACKBONE.Vggtiny)
    Config.set_input_size(HEIGHT, WIDTH)
    Config.set_core({"training.backbone_pretrained": False})
    for name, value in more.items():
        getattr(Config, f"set_{name}")(value)
    return Config.get_config()


def person(config: Any) -> np.ndarray:
    """Somebody upright, all keypoints in cells of their own, even in a coarse grid."""
    count = len(Model.BasicModel(config).parts)
    spread = np.random.default_rng(4).permutation(24)[:count]
    return np.stack([(spread % 6) * 20 + 12.0, (spread // 6) * 22 + 9.0], -1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_targets_give_the_person_back(kind: Any) -> None:
    config = config_of(kind)
    model = Model.get_model(config)
    values = {name: getattr(model, name) for name in ("parts", "limbs", "hin", "win", "hout", "wout", "colors")}
    annos = [person(config)]
    target = Model.get_preprocessor(config)(**values).process(annos, np.ones((HEIGHT, WIDTH)), None)
    dialect = dialect_of(kind)
    assert tuple(target) == dialect.wanted
    sure = {name: torch.from_numpy(value)[None] for name, value in target.items()}
    if kind is Config.MODEL.PoseProposal:
        sure = {**{name: sure[name] for name in dialect.main if name in sure}, "i": sure["c"]}
    elif kind is Config.MODEL.Pifpaf:
        spread = {name: torch.full_like(sure["pif_conf"], -3.0) for name in ("pif_logb",)}
        spread |= {name: torch.full_like(sure["paf_conf"], -3.0) for name in ("paf_src_logb", "paf_dst_logb")}
        sure = {name: value.nan_to_num(0) for name, value in sure.items()} | spread
        for name, value in sure.items():
            if name.endswith("_conf"):
                sure[name] = 20 * value - 10
            elif name.endswith("scale"):
                sure[name] = torch.expm1(value.clamp_min(1e-3)).log()
    Model.get_visualizer(config)(".").visualize(np.zeros((1, 3, HEIGHT, WIDTH)), sure, name="maps")
    kinds = ("_pif", "_paf") if kind is Config.MODEL.Pifpaf else ("",)
    assert {path.name for path in Path().glob("maps*")} == {f"maps_0{each}.png" for each in kinds}
    (people,) = Model.get_postprocessor(config)(**values).process(sure)
    joints = len(model.algorithm.task.skeleton)
    assert len(people) == 1 and people[0].get_partnum() == joints
    found = np.array([(part.x, part.y) for _, part in sorted(people[0].body_parts.items())])
    np.testing.assert_allclose(found, annos[0][:joints], atol=1.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_loss_is_the_cores_in_every_form(kind: Any) -> None:
    config = config_of(kind)
    torch.manual_seed(0)
    model = Model.get_model(config).train()
    values = {name: getattr(model, name) for name in ("parts", "limbs", "hin", "win", "hout", "wout")}
    target = Model.get_preprocessor(config)(**values).process([person(config)], None, None)
    image = np.random.default_rng(0).random((1, HEIGHT, WIDTH, 3), np.float32)
    predicted = model.forward(image)
    told: dict[str, Any] = {}

    class Manager:
        def update(self, name: str, value: Any) -> None:
            told[name] = float(value.detach())

    loss = model.cal_loss(predict_x=predicted, target_x=target, metric_manager=Manager())
    assert sum(told.values()) == pytest.approx(loss.item(), rel=1e-5) and len(told) > 1
    loss.backward()
    assert all(p.grad is not None for p in model.algorithm.network.parameters())
    maps = dict(predicted)
    plain = model.cal_loss(maps, target)
    assert plain.item() == pytest.approx(loss.item(), rel=1e-3), "plain mappings, which have no maps of the core"
    none = model.cal_loss(predict_x=predicted, target_x=target, mask=np.zeros((1, HEIGHT, WIDTH)))
    assert none.item() == 0, "nothing is learned where nothing is known"
    main, wanted = list(predicted), [target[name] for name in dialect_of(kind).wanted]
    if len(main) == 2:
        pairs = [each for pair in zip(wanted, main, strict=True) for each in pair]
        one = model.cal_loss(*pairs)
        assert one.item() < loss.item(), "the last stage alone"
        stages = model.cal_loss(predicted["stage_confs"], predicted["stage_pafs"], *wanted, None)
        assert stages.item() == pytest.approx(loss.item(), rel=1e-5)
    elif kind is Config.MODEL.PoseProposal:
        terms = model.cal_loss(*wanted, *main)
        assert len(terms) == 5 and sum(terms).item() == pytest.approx(loss.item(), rel=1e-3)
    with pytest.raises(InputError, match=r"target '\w+' is .*; expected"):
        model.cal_loss(predicted, {name: value[..., :-1] for name, value in target.items()})


def test_layouts_are_the_same_numbers() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    first = Model.get_model(config_of(Config.MODEL.LightweightOpenpose)).eval()
    last = Model.get_model(config_of(Config.MODEL.LightweightOpenpose, data_format="channels_last")).eval()
    last.load_state_dict(first.state_dict())
    with torch.no_grad():
        conf, paf = first.forward(image)
        other, _ = last.forward(image.transpose(0, 3, 1, 2) / np.float32(255))
    assert other.shape == (1, 12, 16, 19)
    torch.testing.assert_close(conf.movedim(1, -1), other)
    assert [tuple(each.shape) for each in first.infer(image)] == [tuple(conf.shape), tuple(paf.shape)]
    odd = first.forward(image[:, : HEIGHT - 3], ret_backbone=True)
    assert odd["conf_map"].shape == conf.shape and odd["backbone_features"].shape == (1, 384, 12, 16)
    with pytest.raises(InputError, match=r"images are \(96, 128, 3\)"):
        first.forward(image[0])


def test_a_model_by_its_class() -> None:
    from vitruve.compat.hyperpose.anatomy import enumeration

    parts = enumeration(("a", "b", "c", "Background"))
    model = Model.LightweightOpenpose(
        parts=parts, limbs=[(0, 1), (1, 2)], hin=64, win=96, backbone=Model.vggtiny_backbone
    )
    assert (model.n_pos, model.n_limbs, model.hin, model.win, model.hout, model.wout) == (4, 2, 64, 96, 8, 12)
    assert (model.backbone.out_channels, model.backbone.scale_size, model.backbone.name) == (384, 8, "vggtiny")
    alone = Model.vggtiny_backbone(scale_size=8, data_format="channels_last")
    assert alone(np.zeros((1, 64, 64, 3), np.float32)).shape == (1, 8, 8, 384)


@pytest.mark.parametrize("format", ["npz", "npz_dict", "safetensors"])
def test_weights_come_back_to_the_last_bit(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"w.{'safetensors' if format == 'safetensors' else 'npz'}"
    first, second = (torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)) for _ in range(2))
    save(first, path, format)
    load(second, path, format)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    load(second, path)
    with pytest.raises(RunError, match=r"weights of another network|arrays, but this network has"):
        load(torch.nn.Linear(4, 2), path)


def test_pickles_are_neither_written_nor_read(tmp_path: Path) -> None:
    module = torch.nn.Linear(1, 1)
    with pytest.raises(InputError, match=r"Python pickles.*take \.npz or \.safetensors"):
        save(module, tmp_path / "w.pt")
    np.savez(tmp_path / "tl.npz", params=np.array([np.zeros(2), np.zeros(3)], object))
    with pytest.raises(RunError, match="holds Python objects"):
        load(module, tmp_path / "tl.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    with pytest.raises(RunError, match="no npz file, or not whole"):
        load(module, tmp_path / "broken.npz")
    with pytest.raises(InputError, match="did you mean 'npz_dict'"):
        save(module, tmp_path / "w.npz", "npz_dct")
