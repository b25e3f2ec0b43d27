"""What the tests do with FiftyOne in one process, because it takes seconds to import; writes what came out as JSON."""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import fiftyone as fo
import fiftyone.core.odm.database as connection
from local_viewer import ROOT
from shown_runs import video_points, write_table

from vitruve.errors import VitruveError
from vitruve.viewer.app import served, show
from vitruve.viewer.create import create_fiftyone_dataset
from vitruve.viewer.database import new_dataset

Case = Callable[[Path], Any]


def images(folder: Path) -> Any:
    made = create_fiftyone_dataset([folder / "day/a", folder / "day/b"], "shown", model_names=["base", "with ears!"])
    return [made.name, made.samples, made.models]


def again(folder: Path) -> Any:
    return create_fiftyone_dataset(folder / "day/a", "shown").name


def alike(folder: Path) -> Any:
    return create_fiftyone_dataset(folder / "day/a", "Shown!", overwrite=True).name


def nameless(folder: Path) -> Any:
    return create_fiftyone_dataset(folder / "day/a", "?!").name


def replaced(folder: Path) -> Any:
    create_fiftyone_dataset(folder / "day/a", "twice")
    create_fiftyone_dataset(folder / "day/a", "twice", model_names=["second"], overwrite=True)
    return [sorted(fo.list_datasets()), sorted(fo.load_dataset("twice").info["models"])]


def of_others(folder: Path) -> Any:
    fo.Dataset("precious", persistent=True)
    return create_fiftyone_dataset(folder / "day/a", "precious", overwrite=True).name


def half_way(folder: Path) -> Any:
    """The last image is not there."""
    before = sorted(fo.list_datasets())
    moved = shutil.copytree(folder / "project", folder / "moved")
    (moved / "labeled-data/mouse/img002.png").unlink()
    try:
        create_fiftyone_dataset(folder / "day/a", "twice", images=moved, overwrite=True)
    except VitruveError as error:
        return [str(error), sorted(fo.list_datasets()) == before, len(fo.load_dataset("twice"))]
    return "no error"


def until_it_is_whole(folder: Path) -> Any:
    with new_dataset("whole", overwrite=False) as dataset:
        inside = [dataset.persistent, fo.dataset_exists("whole")]
    outside = [dataset.persistent, fo.dataset_exists("whole")]
    fo.delete_dataset("whole")
    return [inside, outside]


def taken_meanwhile(folder: Path) -> Any:
    """The last step of replacing fails: the name cannot be given."""
    before = sorted(fo.list_datasets())
    rename = type(fo.load_dataset("twice")).name

    def refuse(dataset: Any, name: str) -> None:
        if name == "twice" and dataset.name.startswith("vitruve "):
            raise ValueError("taken")
        rename.fset(dataset, name)

    with mock.patch.object(fo.Dataset, "name", property(rename.fget, refuse)), contextlib.suppress(ValueError):
        create_fiftyone_dataset(folder / "day/b", "twice", overwrite=True)
    return [sorted(fo.list_datasets()) == before, sorted(fo.load_dataset("twice").info["models"])]


def elsewhere(folder: Path) -> Any:
    """The images are not where the run's settings say."""
    moved = shutil.copytree(folder / "project", folder / "elsewhere")
    create_fiftyone_dataset(folder / "day/a", "elsewhere", images=moved)
    paths = fo.load_dataset("elsewhere").values("filepath")
    fo.delete_dataset("elsewhere")
    return [Path(path).is_relative_to(moved) for path in paths]


def videos(folder: Path) -> Any:
    made = create_fiftyone_dataset([folder / "day/a", folder / "day/b"], "shown", videos=folder / "project/videos")
    return [made.name, made.samples, made.models]


def script(folder: Path) -> Any:
    (folder / "config_mine.yaml").write_text(f"data:\n  data_dir: {folder / 'project'}\n")
    path = ROOT / "scripts/create_fiftyone_dataset.py"
    sys.argv = [
        str(path),
        f"--config-path={folder}",
        "--config-name=config_mine",
        f"eval.hydra_paths=['{folder / 'day/a'}','{folder / 'day/b'}']",
        "eval.fiftyone.dataset_name=by_script",
        "eval.fiftyone.model_display_names=[one,two]",
        "eval.fiftyone.dataset_to_create=videos",
        f"eval.test_videos_directory='{folder / 'project/videos'}'",
    ]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(str(path), run_name="__main__")
    return printed.getvalue()


def unpredicted_video(folder: Path) -> Any:
    return create_fiftyone_dataset(folder / "day/a", "v", videos=[folder / "project/videos/other.mp4"]).name


def short_table(folder: Path) -> Any:
    write_table(folder / "short/clip.csv", video_points()[:-1])
    video = folder / "project/videos/clip.mp4"
    return create_fiftyone_dataset(folder / "day/a", "v", videos=video, predictions=folder / "short").name


def views(folder: Path) -> Any:
    made = create_fiftyone_dataset(folder / "views/run", "two views")
    return [made.samples, made.models]


def default_name(folder: Path) -> Any:
    made = create_fiftyone_dataset([folder / "day/a", folder / "night/a"])
    fo.delete_dataset(made.name)
    return [made.name, made.models]


def taken_port(folder: Path) -> Any:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        show("shown", address="127.0.0.1", port=other.getsockname()[1], remote=True)


def page(folder: Path) -> Any:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with served("shown", address="127.0.0.1", port=port, remote=True):
        with urllib.request.urlopen(f"{address}/fiftyone", timeout=30) as answer:
            version = json.load(answer)["version"]
        with urllib.request.urlopen(address, timeout=30) as answer:
            start = answer.read(15).decode()
    with socket.socket() as probe:
        still = probe.connect_ex(("127.0.0.1", port)) == 0
    return [version == fo.__version__, start, still]


def no_database(folder: Path) -> Any:
    kept = fo.config.database_uri
    connection._disconnect()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        fo.config.database_uri = f"mongodb://127.0.0.1:{nobody.getsockname()[1]}/?serverSelectionTimeoutMS=300"
        try:
            return create_fiftyone_dataset(folder / "day/a", "nowhere").name
        finally:
            fo.config.database_uri = kept
            connection._disconnect()


CASES: tuple[Case, ...] = (
    images,
    again,
    alike,
    nameless,
    replaced,
    of_others,
    half_way,
    until_it_is_whole,
    taken_meanwhile,
    elsewhere,
    videos,
    script,
    unpredicted_video,
    short_table,
    views,
    default_name,
    taken_port,
    page,
    no_database,
)


def main(folder: Path) -> None:
    results = {}
    for case in CASES:
        try:
            results[case.__name__] = case(folder)
        except VitruveError as error:
            results[case.__name__] = f"{type(error).__name__}: {error}"
    (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
