"""What is predicted into which files, and under which names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitruve.errors import InputError
from vitruve.inference.jobs import jobs_for, row_name
from vitruve.structures.labels import ImageRef


def test_rows_of_images_are_named_alike_however_their_path_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name(path: str | Path, data_dir: Path | None = None) -> str:
        return row_name(ImageRef(Path(path)), data_dir)

    project = tmp_path / "project"
    folder = project / "labeled-data" / "walk"
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(project)
    for place in (tmp_path, project, folder):
        monkeypatch.chdir(place)
        for typed in (folder, Path(os.path.relpath(folder)), Path("..") / os.path.relpath(folder, ".."), Path("link")):
            path = (tmp_path / "link/labeled-data/walk" if typed.name == "link" else typed) / "img1.png"
            assert name(path, project) == "labeled-data/walk/img1.png", "as the label file has it"
            assert name(path, Path(os.path.relpath(project))) == "labeled-data/walk/img1.png"
            assert name(path) == "labeled-data/walk/img1.png", "also where the run's data folder is not known"
            assert name(path, project / "labeled-data") == "walk/img1.png"
            assert name(path, tmp_path / "elsewhere") == "labeled-data/walk/img1.png"
    # Tables of two folders can be put together.
    monkeypatch.chdir(tmp_path)
    assert [name("a/img1.png"), name(tmp_path / "b" / "img1.png")] == ["a/img1.png", "b/img1.png"]
    assert name("/img1.png") == "img1.png"
    assert row_name(ImageRef(Path("a/clip.mp4"), 7), tmp_path) == "7"


def test_jobs(tmp_path: Path) -> None:
    sources = [Path("a/x.mp4"), Path("b/one.png"), Path("b/two.png"), Path("c/three.png")]
    jobs = jobs_for(sources, Path("out"), Path("out"), formats=("csv", "h5"), labeled_video=True)
    assert [(each.source, each.table) for each in jobs] == [
        (Path("a/x.mp4"), Path("out/x.csv")),
        ((Path("b/one.png"), Path("b/two.png")), Path("out/b.csv")),
        ((Path("c/three.png"),), Path("out/three.csv")),
    ]
    assert jobs[0].labeled_video == Path("out/labeled_videos/x_labeled.mp4")
    assert jobs[0].outputs == [Path("out/x.csv"), Path("out/x.h5"), Path("out/labeled_videos/x_labeled.mp4")]
    assert jobs_for(sources[:1], Path("out"), Path("out"), formats=("csv",), labeled_video=False)[0].outputs == [
        Path("out/x.csv")
    ]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["a/x.mp4", "b/x.avi"], r"x\.avi and x\.mp4 would both be written to out/x\.csv"),
        (["a/x/1.png", "a/x/2.png", "b/x/1.png", "b/x/2.png"], r"would both be written to out/x\.csv"),
        (["a/x/1.png", "b/x/1.png"], r"would both be written to out/1\.csv"),
        (["a/x.mp4", "b/x/1.png", "b/x/2.png"], r"would both be written to out/x\.csv"),
    ],
)
def test_sources_of_one_name(sources: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        jobs_for([Path(each) for each in sources], Path("out"), Path("out"), formats=("csv",), labeled_video=False)


def test_unknown_formats() -> None:
    with pytest.raises(InputError, match="--format xls: not known; predictions are written as csv, h5, coco"):
        jobs_for([Path("a.mp4")], Path("out"), Path("out"), formats=("csv", "xls"), labeled_video=False)
