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
from vitruve.media.video import VideoReader, VideoWriter


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


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Two views of 40 frames: the left one changes at two instants alone, the right one at two others."""
    for name, changes in (("left", (5, 15)), ("right", (25, 35))):
        with VideoWriter(tmp_path / "videos" / f"walk_{name}.mp4", 25, crf=10) as video:
            for index in range(40):
                # The views differ in size, by an odd number of small pixels.
                image = np.full((48, 62 if name == "left" else 80, 3), 60, np.uint8)
                if index in changes:
                    image[8:24, 8 + 12 * changes.index(index) :][:, :10] = 220
                video.write(image)
    return tmp_path / "videos"


def test_the_same_instants_are_chosen_in_all_views(pair: Path, tmp_path: Path) -> None:
    done = select_frames(pair, 5, output=tmp_path, context=1, views=("right", "left"))
    assert [one.video.stem for one in done] == ["walk_right", "walk_left"]
    assert done[0].indices == done[1].indices and {5, 15, 25, 35} < set(done[0].indices)
    images = [sorted(path.name for path in one.folder.glob("*.png")) for one in done]
    assert images[0] == images[1] and listed(done[0].folder) == listed(done[1].folder)
    assert {"img00000004.png", "img00000006.png"} <= set(images[0]), "context frames in every view"
    for one in done:
        with VideoReader(one.video) as reader:
            assert all((read_image(one.folder / name) == reader.read([int(name[3:11])])[0]).all() for name in images[0])
    # Alone, the left view has nothing to show at 25 and 35.
    (left,) = select_frames(pair / "walk_left.mp4", 5, output=tmp_path / "alone", context=1)
    assert not {25, 35} & set(left.indices)


def test_instants_labelled_in_one_view_are_not_chosen_again(pair: Path, tmp_path: Path) -> None:
    table = tmp_path / "CollectedData.csv"
    for view in ("left", "right"):
        head = "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\n"
        row = f"labeled-data/walk_{view}/img00000005.png," + ("1,2\n" if view == "left" else ",\n")
        (tmp_path / f"CollectedData_{view}.csv").write_text(head + row)
    done = select_frames(pair, 5, output=tmp_path, context=0, views=("left", "right"), labels=table)
    assert all(5 not in one.indices and one.labelled == 1 and one.rows == len(one.indices) for one in done)
    rows = [(tmp_path / f"CollectedData_{view}.csv").read_text().splitlines()[4:] for view in ("left", "right")]
    assert [row.replace("walk_left", "walk_right") for row in rows[0]] == rows[1]


def test_views_are_those_of_the_project(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {csv_file: [a.csv, b.csv], view_names: [left, right]}\n")
    assert len({one.indices for one in select_frames(pair, 2, output=tmp_path)}) == 1
    (pair / "walk_left.mp4").unlink()
    with pytest.raises(InputError, match="session 'walk' has no video of view 'left'; add walk_left"):
        select_frames(pair, 2, output=tmp_path)
    (tmp_path / "config.yaml").write_text("data: {csv_file: a.csv, view_names: [left, right]}\n")
    assert len(select_frames(pair, 2, output=tmp_path)) == 1


def test_views_of_different_lengths(pair: Path, tmp_path: Path) -> None:
    write_video(pair / "walk_right.mp4", 12)
    with pytest.raises(InputError, match=r"walk_right\.mp4: 12 frames, but .*walk_left\.mp4 has 40; .* \(--shortest"):
        select_frames(pair, 4, output=tmp_path / "out", views=("left", "right"))
    assert not (tmp_path / "out").exists()
    done = select_frames(pair, 4, output=tmp_path / "out", views=("left", "right"), shortest=True)
    assert done[0].indices == done[1].indices and 5 in done[0].indices and max(done[0].indices) < 12
    numbers = {int(path.name[3:11]) for path in (tmp_path / "out").rglob("*.png")}
    assert max(numbers) < 12


def test_a_list_that_cannot_be_added_to_is_said_before_anything_is_written(video: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images to label are added to"):
        select_frames(video, 2, output=tmp_path / "out", labels=tmp_path / "list.txt")
    assert not (tmp_path / "out").exists()


def test_without_a_video_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        select_frames(tmp_path / "no.mp4", 2, output=tmp_path)
