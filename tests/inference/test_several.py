from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from inference.crowds import Spots, pictures, walks
from inference.stand_in import Broken
from vitruve.formats.hub import read_labels
from vitruve.inference.drawing import Look, draw_video
from vitruve.inference.files import Done, predict_to_files
from vitruve.inference.jobs import Job, jobs_for
from vitruve.inference.predictor import Predictor
from vitruve.media.images import write_image
from vitruve.media.video import VideoReader, VideoWriter

COUNT = 23
LOOK = Look(0.5)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "clip.mp4"
    with VideoWriter(path, 25, crf=0) as video:
        for image in pictures(COUNT):
            video.write(image)
    return path


def job(source: Path, folder: str = "out", formats: tuple[str, ...] = ("csv",), video: bool = False) -> Job:
    target = source.parents[1] / folder
    (made,) = jobs_for([source], target, target, formats=formats, labeled_video=video)
    return made


def run(what: Job, network: Predictor | None = None, **options: Any) -> Done:
    values = {"scorer": "net", "identity": "weights torch", "look": LOOK, **options}
    return predict_to_files(network or Predictor(Spots(), 4), what, **values)


def test_a_table_has_as_many_places_as_are_needed(clip: Path) -> None:
    done = run(job(clip))
    lines = [line.split(",") for line in done.table.read_text().splitlines()]
    assert [line[0] for line in lines[:5]] == ["scorer", "individuals", "bodyparts", "coords", "0"]
    assert (
        set(lines[1][1:]) == {"individual1", "individual2", "individual3"} and len({len(each) for each in lines}) == 1
    )
    labels = read_labels(done.table)
    assert len(labels) == COUNT
    for frame, spots in zip(labels, walks(COUNT), strict=True):
        there = frame.instances.keypoints[0, frame.instances.present[0]]
        np.testing.assert_allclose(sorted(there[:, 0].tolist()), sorted(spots), atol=1e-3)
        beyond = there[:, 0, 0] > 32
        np.testing.assert_array_equal(np.isnan(there[:, 1, 0]), beyond)
    assert {path.name for path in done.table.parent.iterdir()} == {"clip.csv", ".clip.json"}


def test_nobody_at_all_is_a_table_of_empty_places(tmp_path: Path) -> None:
    path = tmp_path / "in" / "clip.mp4"
    with VideoWriter(path, 25, crf=0) as video:
        for image in pictures(3):
            video.write(image)
    labels = read_labels(run(job(path, formats=("csv", "h5", "coco"))).table)
    assert len(labels) == 3 and not labels[0].instances.present.any()


@pytest.mark.parametrize("after", [1, 3, 5])
def test_an_interrupted_prediction_ends_with_the_same_files(clip: Path, after: int) -> None:
    formats = ("csv", "h5", "coco")
    whole = run(job(clip, "whole", formats))
    with pytest.raises(RuntimeError):
        run(job(clip, "broken", formats), Broken(Spots(), after))
    assert not job(clip, "broken").table.exists()
    again = run(job(clip, "broken", formats))
    assert 0 < again.frames < COUNT
    for one, other in zip(whole.outputs, again.outputs, strict=True):
        if one.suffix != ".h5":
            assert one.read_bytes() == other.read_bytes()
    pd.testing.assert_frame_equal(pd.read_hdf(whole.outputs[1]), pd.read_hdf(again.outputs[1]))
    assert run(job(clip, "broken", formats)).skipped


def test_coco_json_has_scores_and_numbers_of_frames(clip: Path) -> None:
    done = run(job(clip, formats=("csv", "coco")))
    content = json.loads(done.table.with_suffix(".json").read_text())
    assert [image["frame"] for image in content["images"]] == list(range(COUNT))
    assert {(image["width"], image["height"]) for image in content["images"]} == {(64, 64)}
    assert sorted({each["score"] for each in content["annotations"]}) == [0.7, 0.8, 0.9]
    assert len(content["annotations"]) == sum(map(len, walks(COUNT)))
    labels = read_labels(done.table.with_suffix(".json"))
    np.testing.assert_allclose(labels[10].instances.scores[0], [0.9, 0.8, 0.7])


def test_what_was_made_without_coco_is_predicted_again_with_it(clip: Path) -> None:
    """The table does not have the scores of instances."""
    run(job(clip))
    done = run(job(clip, formats=("csv", "coco")))
    assert done.frames == COUNT and done.table.with_suffix(".json").is_file()


def test_everybody_is_drawn_in_one_colour_from_frame_to_frame(clip: Path) -> None:
    done = run(job(clip, video=True))
    assert done.labeled_video is not None
    with VideoReader(done.labeled_video) as video:
        drawn = np.stack(list(video.frames())).astype(int)
    spots = walks(COUNT)
    # The first one and the second one, wherever they stand in the row of the frame.
    colors = [[drawn[t, spots[t][n][1], spots[t][n][0]] for t in range(9, 15)] for n in (0, 1)]
    for each in colors:
        assert np.ptp(each, axis=0).max() < 60
    assert np.abs(np.mean(colors[0], 0) - np.mean(colors[1], 0)).max() > 100


def test_a_drawing_of_the_table_is_the_same(clip: Path, tmp_path: Path) -> None:
    done = run(job(clip, video=True))
    assert done.labeled_video is not None
    draw_video(clip, done.table, tmp_path / "again.mp4", Spots().task.skeleton, LOOK)
    with VideoReader(done.labeled_video) as one, VideoReader(tmp_path / "again.mp4") as other:
        np.testing.assert_array_equal(np.stack(list(one.frames())), np.stack(list(other.frames())))


def test_images_that_cannot_be_read_have_empty_rows(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "images"
    paths = [folder / f"img{index}.png" for index in range(5)]
    for path, image in zip(paths, pictures(12)[7:], strict=True):
        write_image(path, image)
    paths[2].write_bytes(b"no image")
    (made,) = jobs_for(paths, tmp_path / "out", tmp_path / "out", formats=("csv", "coco"), labeled_video=False)
    done = run(made)
    assert len(done.unreadable) == 1 and "img2.png" in done.unreadable[0]
    counts = [int(frame.instances.present.sum()) for frame in read_labels(done.table)]
    assert counts == [3, 3, 0, 3, 3]
