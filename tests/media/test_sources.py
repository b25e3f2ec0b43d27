from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.errors import InputError
from vitruve.media.sources import expand_sources, natural_key


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in (
        "videos/cam10.mp4",
        "videos/cam2.AVI",
        "videos/notes.txt",
        "videos/.cam3.hidden.mp4",
        "videos/thumbnail.png",
        "videos/older/cam1.mp4",
        "images/img10.png",
        "images/img9.jpg",
        "images/Img1.PNG",
        "images/labels.csv",
        "other/readme.md",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_folders_in_natural_order(data: Path) -> None:
    assert names(expand_sources([data / "videos"])) == ["cam2.AVI", "cam10.mp4"]
    assert names(expand_sources([str(data / "images")])) == ["Img1.PNG", "img9.jpg", "img10.png"]


def test_files_keep_their_order_and_come_once(data: Path) -> None:
    files = [data / "images" / "img10.png", data / "videos", data / "videos" / "cam10.mp4"]
    assert names(expand_sources(files)) == ["img10.png", "cam2.AVI", "cam10.mp4"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "neither videos nor images"),
        ("other", "neither videos nor images"),
        ("nowhere", "no such file"),
        ("videos/notes.txt", "neither a video nor an image"),
    ],
)
def test_unusable_sources(data: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        expand_sources([data / "images", data / name])
    assert str(data / name) in str(caught.value) and "\n" not in str(caught.value)


def test_nothing_named() -> None:
    with pytest.raises(InputError, match="no source"):
        expand_sources([])


def test_natural_key_breaks_ties() -> None:
    paths = [Path(name) for name in ("a2b10", "a2b9", "a02b9", "a", "2", "10", "b1", "a2")]
    assert names(sorted(paths, key=natural_key)) == ["2", "10", "a", "a2", "a02b9", "a2b9", "a2b10", "b1"]
