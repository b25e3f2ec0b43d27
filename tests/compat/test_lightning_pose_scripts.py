"""The page's own script, with the import line changed; and the scripts of the pages as they are called."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import pytest
import yaml

from tiny_project import settings, write_project, write_video
from vitruve.compat import lightning_pose as lp
from vitruve.errors import ConfigError, InputError

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("lightning pose"), max_epochs=1)
    write_video(folder / "videos" / "clip.mp4", 9)
    return folder


def _settings(project: Path) -> dict[str, Any]:
    values = settings(project, {"losses_to_use": ["temporal"]}, max_epochs=2)
    values["callbacks"] = {"anneal_weight": {"init_val": 1.0}}
    values["dali"] = {"base": {"train": {"sequence_length": 4, "windows": 2}}}
    values["data"] |= {"columns_for_singleview_pca": [0, 1], "video_dir": str(project / "videos")}
    return values


def test_a_script_of_builder_functions_trains_predicts_and_measures(project: Path, tmp_path: Path) -> None:
    cfg = _settings(project)
    transform = lp.get_imgaug_transform(cfg)
    dataset = lp.get_dataset(cfg, data_dir=project, imgaug_transform=transform)
    data_module = lp.get_data_module(cfg, dataset, video_dir=project / "videos")
    factories = lp.get_loss_factories(cfg, data_module)
    assert factories == {"supervised": ["heatmap"], "unsupervised": ["temporal"]}
    model = lp.get_model(cfg, data_module, factories)
    callbacks = lp.get_callbacks(cfg, early_stopping=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=callbacks,
        limit_train_batches=lp.calculate_train_batches(cfg, dataset) or 1.0,
        default_root_dir=tmp_path,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(model=model, datamodule=data_module)
    best = trainer.checkpoint_callback.best_model_path
    assert not list(Path(best).rglob("*.ckpt")), "no pickle is written"
    predictions = tmp_path / "predictions.csv"
    table = lp.predict_dataset(cfg, data_module, predictions, best)
    assert table.shape == (16, 2 * 3 + 1) and set(table.iloc[:, -1]) == {"train", "validation"}
    lp.compute_metrics(cfg, predictions, data_module)
    errors = pd.read_csv(tmp_path / "predictions_pixel_error.csv", index_col=0)
    labels = pd.read_csv(project / "CollectedData.csv", header=[0, 1, 2], index_col=0).to_numpy().reshape(16, 2, 2)
    found = table.iloc[:, :-1].to_numpy(float).reshape(16, 2, 3)[..., :2]
    np.testing.assert_allclose(errors[["red", "green"]], np.linalg.norm(found - labels, axis=-1), atol=1e-3)
    assert (tmp_path / "predictions_pca_singleview_error.csv").is_file()
    video, drawn = tmp_path / "clip.csv", tmp_path / "clip_labeled.mp4"
    lp.export_predictions_and_labeled_video(project / "videos" / "clip.mp4", cfg, video, best, drawn)
    assert len(pd.read_csv(video, header=[0, 1, 2], index_col=0)) == 9 and drawn.stat().st_size > 0
    lp.compute_metrics(cfg, video)
    assert np.isnan(pd.read_csv(tmp_path / "clip_temporal_norm.csv", index_col=0).iloc[0]).all()
    assert len(lp.predict_single_video(project / "videos" / "clip.mp4", best, tmp_path / "again.csv")) == 9
    assert lp.load_model_from_checkpoint(cfg, best, eval=True).record["scorer"] == "heatmap_tracker"


def _script(name: str, *arguments: str) -> int:
    """What a script, run as a program in this process, gives to the shell: each process of its own loads torch anew."""
    before = sys.argv
    sys.argv = [name, *arguments]
    try:
        runpy.run_path(str(SCRIPTS / name), run_name="__main__")
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.argv = before
    return 0


def test_the_scripts_of_the_pages(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (project / "mine.yaml").write_text(yaml.safe_dump(_settings(project)))
    where = ("--config-path", str(project), "--config-name=mine.yaml")
    code = _script("train_hydra.py", *where, "hydra.run.dir=outputs/2026-01-01/10-00-00", "training.max_epochs=1")
    assert code == 0
    shutil.copytree(tmp_path / "outputs/2026-01-01", tmp_path / "outputs/2026-01-02")
    arguments = (
        'eval.hydra_paths=["2026-01-01/10-00-00","2026-01-02/10-00-00"]',
        f'eval.test_videos_directory="{project / "videos"}"',
        f'eval.saved_vid_preds_dir="{tmp_path / "new"}"',
    )
    assert _script("predict_new_vids.py", *where, *arguments, "format=h5") == 0
    for run in ("2026-01-01_10-00-00", "2026-01-02_10-00-00"):
        assert (tmp_path / "new" / run / "clip.csv").is_file() and (tmp_path / "new" / run / "clip.h5").is_file()
    # One as the shell starts it.
    wrong = subprocess.run(
        [sys.executable, str(SCRIPTS / "predict_new_vids.py"), arguments[0].replace("01-02", "01-03"), arguments[1]],
        env={**os.environ, "PYTHONPATH": str(Path(lp.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2 and "no run directory 2026-01-03/10-00-00" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    for name in ("train_hydra.py", "predict_new_vids.py", "create_fiftyone_dataset.py"):
        assert len((SCRIPTS / name).read_text().splitlines()) <= 15


def test_what_is_missing_is_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"eval\.hydra_paths: not set"):
        lp.predict_new_videos([])
    with pytest.raises(ConfigError, match=r"--config-name: no value follows"):
        lp.predict_new_videos(["--config-path", str(project), "--config-name"])
    table = tmp_path / "predictions.csv"
    table.write_text("scorer,a,a,a,set\n")
    with pytest.raises(InputError, match="give data_module"):
        lp.compute_metrics({}, table)
