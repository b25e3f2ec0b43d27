"""Frames of videos as images: the right pixels under the right names, nothing twice, nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tiny_project import SKELETON, write_video
from vitruve.errors import InputError
from vitruve.formats.hub import read_labels
from vitruve.labelling import select_frames
from vitruve.media.images import read_image
from vitruve.media.video import VideoReader


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "videos" / "dots.mp4"
    write_video(path, 60)
    return path


def listed(folder: Path) -> list[str]:
    return (folder / "selected_frames.csv").read_text().split()


def test_images_are_the_frames_they_are_named_after(video: Path, tmp_path: Path) -> None:
    (done,) = select_frames(video, 4, output=tmp_path)
    assert done.folder == tmp_path / "labeled-data" / "dots"
    assert len(done.indices) == 4
    near = {n for i in done.indices for n in range(max(0, i - 2), min(60, i + 3))}
    files = {path.name: path for path in done.folder.glob("*.png")}
    assert set(files) == {f"img{n:08d}.png" for n in near}
    frames = np.stack(list(VideoReader(video).frames()))
    assert all(np.array_equal(read_image(path), frames[int(name[3:11])]) for name, path in files.items())
    # Neighbours are there for context, not to be labelled.
    assert listed(done.folder) == [f"img{n:08d}.png" for n in done.indices]


def test_a_second_time_nothing_is_written(video: Path, tmp_path: Path) -> None:
    (first,) = select_frames(video, 3, output=tmp_path)
    marked = first.folder / f"img{first.indices[0]:08d}.png"
    marked.write_bytes(b"mine")
    (second,) = select_frames(video, 3, output=tmp_path)
    assert second.indices == first.indices
    assert (second.written, second.existing) == (0, first.written)
    assert marked.read_bytes() == b"mine"
    assert len(listed(first.folder)) == 3


def test_labelled_frames_are_not_chosen_again_and_stay_labelled(video: Path, tmp_path: Path) -> None:
    labels = tmp_path / "CollectedData.csv"
    labels.write_text("scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\n" + "img.png,1,2\n")
    (first,) = select_frames(video, 3, output=tmp_path, labels=labels)
    assert first.rows == 3
    assert select_frames(video, 3, output=tmp_path, labels=labels)[0].rows == 0
    rows = labels.read_text().splitlines()
    rows[4:] = [row.replace(",,", ",5,6") for row in rows[4:]]
    labels.write_text("\n".join(rows) + "\n")
    (second,) = select_frames(video, 3, output=tmp_path, labels=labels)
    assert second.labelled == 3
    assert not set(second.indices) & set(first.indices)
    assert labels.read_text().startswith("\n".join(rows) + "\n")
    assert sum(bool((frame.instances.visible > 0).any()) for frame in read_labels(labels)) == 4


def test_several_videos_and_a_folder_of_them(video: Path, tmp_path: Path) -> None:
    write_video(video.with_name("more.mp4"), 30, seed=2)
    found = select_frames(video.parent, 2, output=tmp_path, context=0)
    assert [done.folder.name for done in found] == ["dots", "more"]
    assert [done.written for done in found] == [2, 2]


def test_videos_of_one_name_are_refused(video: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "other" / "dots.mp4", 10)
    with pytest.raises(InputError, match="has the name of"):
        select_frames([video, tmp_path / "other" / "dots.mp4"], 2, output=tmp_path)
    assert not (tmp_path / "labeled-data").exists()


def run_of(folder: Path, rows: int) -> Path:
    """As much of a run as is looked at, sure of all but the frames 40 to 49."""
    from vitruve.run import RunFiles

    run = RunFiles(folder)
    run.write_model({"task": {"skeleton": SKELETON.to_dict()}})
    run.weights.write_bytes(b"")
    head = "scorer,net,net,net\nbodyparts,red,red,red\ncoords,x,y,likelihood\n"
    body = "".join(f"{i},1,1,{0.1 if 40 <= i < 50 else 0.9}\n" for i in range(rows))
    run.video_predictions.mkdir()
    (run.video_predictions / "dots.csv").write_text(head + body)
    return folder


def test_frames_a_run_is_unsure_of_are_preferred(video: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run = run_of(tmp_path / "run", 60)
    table = tmp_path / "new.csv"
    (done,) = select_frames(video, 2, output=tmp_path, run=run, labels=table)
    assert all(40 <= index < 50 for index in done.indices)
    assert read_labels(table).skeleton.names == SKELETON.names


@pytest.mark.parametrize(
    ("rows", "message"), [(50, "60 frames, but the run's predictions of it have 50"), (0, "first")]
)
def test_predictions_that_do_not_fit_are_refused(video: Path, tmp_path: Path, rows: int, message: str) -> None:
    (tmp_path / "run").mkdir()
    run = run_of(tmp_path / "run", rows)
    if not rows:
        (run / "video_preds" / "dots.csv").unlink()
    with pytest.raises(InputError, match=message):
        select_frames(video, 2, output=tmp_path, run=run)


def test_without_a_video_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        select_frames(tmp_path / "no.mp4", 2, output=tmp_path)
