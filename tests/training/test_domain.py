from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tiny_project import picture, random_points, settings, write_video
from vitruve.config.schema import Config
from vitruve.data.dataset import Pick
from vitruve.data.loaders import EpochBatches
from vitruve.data.targets import TargetImages, TargetPick
from vitruve.errors import ConfigError
from vitruve.media.images import write_image
from vitruve.run import RunFiles
from vitruve.training.assemble import assemble
from vitruve.training.fit import fit
from vitruve.training.prepare import prepare

Train = Callable[..., RunFiles]


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same dots in another light, on a striped ground."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for index, points in enumerate(random_points(16, seed=7)):
        image = picture(points).astype(int) // 2 + 60
        image[:, ::6] += 90
        image[:, 1::6] += 90
        write_image(folder / f"{index:02d}.png", np.clip(image, 0, 255).astype(np.uint8))
    return folder


def adapting(project: Path, elsewhere: Path, strength: float | None = 0.0, **training: Any) -> Config:
    """``strength``: the common weight of the term in all epochs; None leaves the term out."""
    values = settings(project, {"losses_to_use": [] if strength is None else ["domain"]}, **training)
    values["data"]["target_dir"] = str(elsewhere)
    values["losses"] = {"domain": {"log_weight": float(np.log(0.5))}}
    values["callbacks"] = {"anneal_weight": {"init_val": strength or 0.0, "final_val": strength or 0.0}}
    return Config.from_mapping(values)


def trained(config: Config, folder: Path) -> RunFiles:
    run = RunFiles(folder)
    fit(config, prepare(config), run, quiet=True)
    return run


def accuracy(run: RunFiles, epochs: int = 8) -> float:
    return float(np.mean([float(row["train_domain_accuracy"]) for row in run.read_metrics()[-epochs:]]))


def test_the_domains_are_no_longer_told_apart_when_the_backbone_objects(
    project: Path, elsewhere: Path, tmp_path: Path
) -> None:
    given = {
        "max_epochs": 30,
        "check_val_every_n_epoch": 30,
        "lr_scheduler": "none",
        "optimizer_params": {"learning_rate": 0.003},
    }
    off = trained(adapting(project, elsewhere, 0.0, **given), tmp_path / "off")
    on = trained(adapting(project, elsewhere, 1.0, **given), tmp_path / "on")
    assert accuracy(off) > 0.95
    assert accuracy(on) < 0.7


def test_images_without_labels_never_enter_the_pose_loss(project: Path, elsewhere: Path, tmp_path: Path) -> None:
    # At a common weight of zero the discriminator learns alone: the network learns as if there were no such images.
    given = {"max_epochs": 3, "imgaug": "dlc"}
    without = trained(adapting(project, elsewhere, None, **given), tmp_path / "without")
    beside = trained(adapting(project, elsewhere, 0.0, **given), tmp_path / "beside")
    rows = [run.read_metrics() for run in (without, beside)]
    for one, other in zip(*rows, strict=True):
        assert one["train_supervised_loss"] == other["train_supervised_loss"]
    one, other = (load_file(run.path / "checkpoints" / "last.safetensors") for run in (without, beside))
    assert len(other) > len(one), "the checkpoint keeps the discriminator"
    weights, others = load_file(without.weights), load_file(beside.weights)
    assert weights.keys() == others.keys(), "the run does not"


def test_what_goes_through_the_term_alone_reaches_the_backbone_with_the_opposite_sign(
    project: Path, elsewhere: Path
) -> None:
    config = adapting(project, elsewhere, 1.0)
    module = assemble(config, prepare(config)).module
    term, backbone = module._domain, module.algorithm.backbone
    batch = next(iter(assemble(config, prepare(config)).train_loader()))
    assert batch.target is not None and batch.target.truth is None and len(batch.target) == 4

    def gradients(importance: float) -> tuple[torch.Tensor, torch.Tensor]:
        module.zero_grad()
        loss, right = term(backbone, [], batch.labelled, batch.target, importance)
        loss.backward()
        assert 0 <= float(right) <= 1
        return tuple(torch.cat([p.grad.ravel() for p in part.parameters()]) for part in (backbone, term.discriminator))

    module.eval()
    (to_one, of_one), (to_two, of_two) = gradients(1.0), gradients(-1.0)
    assert float(to_one.norm()) > 0 and torch.allclose(to_one, -to_two)
    assert float(of_one.norm()) > 0 and torch.equal(of_one, of_two)
    assert gradients(0.0)[0].norm() == 0


def test_each_image_is_taken_once_before_any_is_taken_again() -> None:
    def taken(rank: int, ranks: int) -> list[list[int]]:
        order = EpochBatches(8, 2, shuffle=True, targets=12, rank=rank, ranks=ranks)
        return [
            [pick.index for pick in batch if isinstance(pick, TargetPick)]
            for epoch in range(3)
            for batch in order.picks(epoch)
        ]

    alone = taken(0, 1)
    assert [len(batch) for batch in alone] == [2] * 12
    assert sorted(chain(*alone[:6])) == sorted(chain(*alone[6:])) == list(range(12))
    assert alone[:6] != alone[6:]
    shares = [taken(rank, 2) for rank in (0, 1)]
    assert sorted(chain(*shares[0][:3], *shares[1][:3])) == list(range(12))
    assert Pick(0, 0) in EpochBatches(8, 2, shuffle=False, targets=12).picks(0)[0]


def test_frames_of_videos_are_taken_as_well(project: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "away" / "one.mp4", 5)
    config = adapting(project, tmp_path / "away")
    ready = prepare(config)
    images = TargetImages(
        tmp_path / "away", (64, 64), ready.kind.needs, assemble(config, ready).module._augmentation, 1, 0
    )
    assert len(images) == 5
    assert images[TargetPick(0, 0, 3)].images.shape == (1, 1, 3, 64, 64)


def test_what_it_needs_is_asked_for_in_one_line(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set data\.target_dir"):
        config = Config.from_mapping(settings(project, {"losses_to_use": ["domain"]}))
        assemble(config, prepare(config))
    config = adapting(project, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"data\.target_dir=.*nowhere: no such folder"):
        assemble(config, prepare(config))
