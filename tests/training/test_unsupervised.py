"""Learning from unlabelled video: annealing, order, what is refused, and that it acts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tiny_project import settings, write_video
from vitruve.algorithms.base import Task
from vitruve.algorithms.heatmap.algorithm import Heatmap, HeatmapSettings
from vitruve.config.schema import Config
from vitruve.data.loaders import EpochBatches
from vitruve.data.windows import WindowPick
from vitruve.errors import ConfigError, MissingExtraError
from vitruve.losses.settings import AnnealWeight, Temporal
from vitruve.losses.temporal import TemporalLoss
from vitruve.pipeline.train import train_run
from vitruve.run import RunFiles
from vitruve.structures.batch import Batch
from vitruve.structures.skeleton import Skeleton
from vitruve.training.assemble import assemble
from vitruve.training.prepare import prepare
from vitruve.training.unsupervised import UnsupervisedTerms, predict_windows, unlabelled_recordings


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unlabelled")
    write_video(folder / "one.mp4", 8)
    write_video(folder / "two.mp4", 8, seed=2)
    return folder


def _config(project: Path, videos: Path, named: list[str], **more: Any) -> Config:
    mapping = settings(project, {"losses_to_use": named}, max_epochs=2)
    mapping["data"]["video_dir"] = str(videos)
    mapping["dali"] = {"base": {"train": {"sequence_length": 8, "windows": 2}}}
    mapping["callbacks"] = {"anneal_weight": {"init_val": 1.0}}
    for section, values in more.items():
        mapping[section] = {**mapping.get(section, {}), **values}
    return Config.from_mapping(mapping)


def test_the_common_weight_grows_as_documented() -> None:
    terms = UnsupervisedTerms([TemporalLoss(Temporal(), 2)], AnnealWeight())
    grown = [terms.importance(epoch) for epoch in (0, 60, 61, 110, 160, 300)]
    assert grown == pytest.approx([0, 0, 0.01, 0.5, 1, 1])
    assert terms.first_epoch == 61
    never = UnsupervisedTerms([TemporalLoss(Temporal(), 2)], AnnealWeight(increase_factor=0.0))
    assert never.first_epoch is None
    at_once = UnsupervisedTerms([TemporalLoss(Temporal(), 2)], AnnealWeight(init_val=1.0))
    assert at_once.first_epoch == 0 and at_once.importance(0) == 1


def test_epochs_with_few_labels_begin_them_anew_and_windows_join_when_they_count() -> None:
    batches = EpochBatches(7, 3, shuffle=True, at_least=10, windows=2, windows_from=1)
    assert len(batches) == 10
    for epoch in (0, 1):
        picks = batches.picks(epoch)
        windows = [[pick for pick in batch if isinstance(pick, WindowPick)] for batch in picks]
        assert [len(each) for each in windows] == [2 * (epoch >= 1)] * 10
        frames = [(pick.index, pick.turn) for batch in picks for pick in batch if not isinstance(pick, WindowPick)]
        assert len(set(frames)) == len(frames), "no frame is taken twice with the same augmentation"


def test_windows_are_predicted_in_original_pixels_with_gradients() -> None:
    task = Task(Skeleton(("a", "b")), (64, 64))
    algorithm = Heatmap(HeatmapSettings(backbone="test_resnet"), task)
    images = torch.randint(0, 255, (2, 1, 3, 3, 64, 64), dtype=torch.uint8)
    to_image = torch.eye(3).repeat(2, 1, 1, 1)
    to_image[1, 0, :2] = torch.tensor([[0.0, -2.0, 200.0], [2.0, 0.0, 10.0]])
    algorithm.eval()
    found = predict_windows(algorithm, Batch(images, to_image), heatmaps=True)
    assert found.keypoints.shape == (2, 3, 1, 2, 2) and found.scores.shape == (2, 3, 1, 2)
    assert found.heatmaps is not None and found.in_heatmap is not None
    for s in range(2):
        for t in range(3):
            alone = Batch(images[s : s + 1, :, t : t + 1], to_image[s : s + 1])
            expected = algorithm.decode(algorithm(alone), alone).keypoints[0, 0, 0]
            torch.testing.assert_close(found.keypoints[s, t, 0], expected, atol=1e-2, rtol=0)
    peaks = found.heatmaps.flatten(-2).argmax(-1)
    places = torch.stack([peaks % 16, peaks // 16], -1).float()
    assert float((found.in_heatmap - places).detach().abs().max()) <= 1.5
    found.keypoints.sum().backward()
    gradient = next(iter(algorithm.network.head.predict.parameters())).grad
    assert gradient is not None and bool(torch.isfinite(gradient).all()) and bool(gradient.abs().sum() > 0)


def test_what_cannot_work_is_said_before_training(project: Path, videos: Path, tmp_path: Path) -> None:
    cases = [
        (_config(project, videos, ["pca_multiview"]), "needs data.mirrored_column_matches"),
        (_config(project, videos, ["temporal"], losses={"temporal": {"epsilon": [1.0, 2.0, 3.0]}}), "3 values for 2"),
        (_config(project, videos, ["temporal"], data={"video_dir": None}), "set data.video_dir"),
        (_config(project, tmp_path / "none", ["temporal"]), "no such folder"),
        (_config(project, videos, ["temporal_heatmap_kl"], model={"model_type": "regression"}), "looks at heatmaps"),
    ]
    for config, message in cases:
        with pytest.raises(ConfigError if "folder" not in message else Exception, match=message):
            assemble(config, prepare(config))


def test_a_missing_folder_of_videos_is_said_first(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(project, tmp_path / "none", ["temporal"])
    message = r"^data\.video_dir=.*none: no such folder; .* or to data\.data_dir$"
    prepared = prepare(config)
    monkeypatch.setattr(Heatmap, "__init__", lambda *a, **k: pytest.fail("the network is built"))
    with pytest.raises(ConfigError, match=message):
        assemble(config, prepared)
    monkeypatch.setattr("vitruve.data.sources.read_labels", lambda *a: pytest.fail("the labels are read"))
    with pytest.raises(ConfigError, match=message):
        train_run(config, tmp_path / "run")
    off = _config(project, tmp_path / "none", ["temporal"], losses={"temporal": {"log_weight": None}})
    assert unlabelled_recordings(off) == []


def test_a_reader_that_is_not_installed_is_said_before_training(
    project: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    config = _config(project, videos, ["temporal"], dali={"general": {"reader": "torchcodec"}})
    with pytest.raises(MissingExtraError, match=r"^dali\.general\.reader=torchcodec needs"):
        assemble(config, prepare(config))


def test_terms_that_never_count_and_tolerances_that_never_object_are_named(
    project: Path, videos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = _config(
        project,
        videos,
        ["temporal", "pca_singleview"],
        callbacks={"anneal_weight": {"init_val": 0.0}},
        losses={"pca_singleview": {"epsilon": 1000.0, "components_to_keep": 2}},
    )
    with caplog.at_level("INFO"):
        assemble(config, prepare(config))
    assert "never count within 2 epochs" in caplog.text
    assert "hardly ever object" in caplog.text
    assert "the labels' own error is" in caplog.text


def test_unlabelled_video_changes_the_weights_and_the_run_says_how(project: Path, videos: Path, tmp_path: Path) -> None:
    from vitruve.training.fit import fit

    ends = []
    for log_weight in (11.0, -2.0):
        config = _config(project, videos, ["temporal"], losses={"temporal": {"log_weight": log_weight, "epsilon": 0.0}})
        run = RunFiles(tmp_path / str(log_weight))
        fit(config, prepare(config), run, quiet=True)
        ends.append(load_file(run.weights))
        rows = run.read_metrics()
        weight = 1 / (2 * np.exp(log_weight))
        for row in rows:
            assert float(row["temporal_weight"]) == pytest.approx(weight, rel=1e-4)
            assert float(row["total_unsupervised_importance"]) == 1
            weighted = weight * float(row["train_temporal_loss"])
            assert float(row["train_temporal_loss_weighted"]) == pytest.approx(weighted, rel=1e-3)
    assert any(not torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_training_with_video_goes_on_exactly(project: Path, videos: Path, tmp_path: Path) -> None:
    from vitruve.training.fit import fit

    config = _config(project, videos, ["temporal"], losses={"temporal": {"log_weight": 0.0, "epsilon": 0.0}})
    whole, broken = RunFiles(tmp_path / "whole"), RunFiles(tmp_path / "broken")
    fit(config, prepare(config), whole, quiet=True, checkpoint_seconds=0)
    first = config.model_copy(update={"training": config.training.model_copy(update={"max_epochs": 2})})
    _stop_after(1, lambda: fit(first, prepare(first), broken, quiet=True, checkpoint_seconds=0))
    fit(config, prepare(config), broken, resume=True, quiet=True, checkpoint_seconds=0)
    a, b = load_file(whole.weights), load_file(broken.weights)
    assert all(torch.equal(a[name], b[name]) for name in a)


def _stop_after(epochs: int, work: Callable[[], Any]) -> None:
    """Break training off behind so many epochs, as a crash would."""
    from vitruve.training.module import PoseModule

    begin = PoseModule.on_train_epoch_start

    def stop(self: PoseModule) -> None:
        if self.current_epoch >= epochs:
            raise KeyError("a crash")
        begin(self)

    PoseModule.on_train_epoch_start = stop  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyError, match="a crash"):
            work()
    finally:
        PoseModule.on_train_epoch_start = begin  # type: ignore[method-assign]


def test_labels_count_from_the_first_epoch_whatever_the_annealing(project: Path, videos: Path, tmp_path: Path) -> None:
    from vitruve.training.fit import fit

    config = _config(
        project,
        videos,
        ["temporal"],
        model={"model_type": "regression"},
        callbacks={"anneal_weight": {"init_val": 0.0, "freeze_until_epoch": 60}},
    )
    run = RunFiles(tmp_path / "run")
    fit(config, prepare(config), run, quiet=True)
    rows = run.read_metrics()
    assert float(rows[1]["train_supervised_loss"]) < float(rows[0]["train_supervised_loss"])
    assert "train_temporal_loss" not in rows[0], "no video is decoded while its terms do not count"
