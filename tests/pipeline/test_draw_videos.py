"""Tables of any origin drawn into their videos, looked at where the keypoints must be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.formats.table import format_rows, header_lines
from vitruve.inference.drawing import Look
from vitruve.media.video import VideoReader, VideoWriter
from vitruve.pipeline.draw_videos import draw_videos, usual_look
from vitruve.run import RunFiles

NAMES = ("nose", "tail")
FIRST, COUNT = 2, 5


@pytest.fixture
def video(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "clip.mp4", 25, crf=0) as writer:
        for level in range(FIRST + COUNT):
            writer.write(np.full((48, 64, 3), 40 + level, np.uint8))
    return tmp_path / "clip.mp4"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """From frame 2 on; in frame n the nose is at (5 n, 10), the tail, which is not sure, at (20, 40)."""
    points = np.stack([np.stack([[5.0 * n, 10], [20, 40]]) for n in range(FIRST, FIRST + COUNT)])
    sure = np.tile([0.9, 0.2], (COUNT, 1))
    head = "\n".join(header_lines("net", NAMES)) + "\n"
    rows = format_rows(range(FIRST, FIRST + COUNT), points, sure)
    (tmp_path / "clip.csv").write_text(head + rows)
    return tmp_path / "clip.csv"


def test_frames_of_the_table_are_drawn_where_its_keypoints_are(video: Path, table: Path) -> None:
    (made,) = draw_videos(table, video)
    assert made == table.parent / "labeled_videos" / "clip_labeled.mp4"
    with VideoReader(made) as drawn:
        assert drawn.count() == COUNT
        for n, image in enumerate(drawn.frames()):
            changed = np.abs(image.astype(int) - (40 + FIRST + n)).max(-1) > 60
            assert changed[10, 5 * (FIRST + n)] and not changed[38:43, 18:23].any()
            assert not changed[10, [x for x in range(0, 64, 5) if abs(x - 5 * (FIRST + n)) > 9]].any()


def test_a_part_is_drawn_and_a_threshold_kept(video: Path, table: Path, tmp_path: Path) -> None:
    (made,) = draw_videos(table, video, tmp_path / "out", frame_start=4, number_frames=2, threshold=0.1)
    with VideoReader(made) as drawn:
        images = list(drawn.frames())
    assert len(images) == 2
    assert abs(int(images[0][10, 20].astype(int).max()) - 44) > 60 and abs(int(images[0][40, 20].max()) - 44) > 60


def test_a_drawn_video_plays_as_its_recording_does(table: Path, tmp_path: Path) -> None:
    times = np.cumsum([0, 0.1, 0.5, 0.04, 0.1, 0.5, 0.04])
    with VideoWriter(tmp_path / "clip.mkv", 30, times=times) as writer:
        for _ in times:
            writer.write(np.full((48, 64, 3), 40, np.uint8))
    (made,) = draw_videos(table, tmp_path / "clip.mkv")
    with VideoReader(made) as drawn:
        found = drawn.uneven_times()
    assert found is not None
    # The table begins with frame 2.
    np.testing.assert_allclose(found, times[FIRST:] - times[FIRST], atol=0.001)


def test_a_table_in_a_run_is_drawn_as_the_run_draws_it(video: Path, table: Path, tmp_path: Path) -> None:
    assert usual_look(table) == Look(0.3, "cool")
    run = RunFiles(tmp_path / "run")
    run.video_predictions.mkdir(parents=True)
    run.config.write_text("eval: {confidence_thresh_for_vid: 0.95, colormap: jet}\n")
    run.model.write_text("{}")
    inside = table.rename(run.video_predictions / table.name)
    assert usual_look(inside) == usual_look(run.path) == Look(0.95, "jet")
    (tmp_path / "bones.yaml").write_text("names: [nose, tail]\nedges: []\n")
    (made,) = draw_videos(inside, video, skeleton=tmp_path / "bones.yaml")
    with VideoReader(made) as drawn:
        # Nothing is as sure as that.
        assert all(np.ptp(image.astype(int)) < 20 for image in drawn.frames())


def test_a_table_of_an_ensemble_is_drawn_as_its_settings_say(table: Path, tmp_path: Path) -> None:
    run = RunFiles(tmp_path / "ensemble")
    run.video_predictions.mkdir(parents=True)
    run.config.write_text("eval: {confidence_thresh_for_vid: 0.95, colormap: jet}\n")
    inside = table.rename(run.video_predictions / table.name)
    assert usual_look(inside) == Look(0.3, "cool")
    for number in range(2):
        run.member(number).path.mkdir()
        run.member(number).config.write_text("eval: {confidence_thresh_for_vid: 0.5}\n")
    assert usual_look(inside) == usual_look(run.path) == Look(0.95, "jet")


def test_bones_are_those_of_the_skeleton(video: Path, table: Path, tmp_path: Path) -> None:
    (tmp_path / "bones.yaml").write_text("names: [nose, tail]\nedges: [[nose, tail]]\n")
    images = []
    for folder, skeleton in (("with", tmp_path / "bones.yaml"), ("without", None)):
        (made,) = draw_videos(table, video, tmp_path / folder, threshold=0.1, skeleton=skeleton, frame_start=4)
        with VideoReader(made) as drawn:
            images.append(drawn.read([0])[0].astype(int))
    assert np.abs(images[0][25, 20] - images[1][25, 20]).max() > 60


def test_what_cannot_be_drawn_is_said_before_anything_is_written(video: Path, table: Path, tmp_path: Path) -> None:
    for words, given in (
        ("begins with frame 2", {"frame_start": 1}),
        ("--number-frames 9", {"number_frames": 9}),
        ("1 tables and 2 videos", {"videos": [video, video]}),
        ("no such video", {"videos": tmp_path / "other.mp4"}),
        ("written over", {"tables": [table, table], "videos": [video, video], "output": tmp_path / "out"}),
    ):
        with pytest.raises(InputError, match=words):
            draw_videos(**{"tables": table, "videos": video, **given})  # type: ignore[arg-type]
    assert not (tmp_path / "labeled_videos").exists() and not (tmp_path / "out").exists()
