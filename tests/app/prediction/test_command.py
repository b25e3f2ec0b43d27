"""Arguments of the verbs that predict."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.app.place import Place
from vitruve.app.prediction.command import ALL, PosePrediction, RigPrediction, check_frames
from vitruve.errors import InputError


def test_what_is_not_said_is_left_to_the_verb() -> None:
    wanted = PosePrediction(Path("/r"), Path("/v.mp4"), labeled_video=False)
    assert wanted.arguments == ["predict", "/r", "/v.mp4"]
    assert RigPrediction(Path("/p"), Path("/rec")).arguments == ["project", "predict3d", "/p", "/rec"]
    assert RigPrediction(Path("/p"), Path("/v.mp4"), space=False).arguments == ["project", "predict2d", "/p", "/v.mp4"]


def test_everything_that_is_said_is_handed_on() -> None:
    wanted = PosePrediction(
        Path("/r"), Path("/v.mp4"), 5, 10, True, 0.25, ("csv", "h5"), smooth=True, runtime="onnx", overwrite=True
    )
    said = "--frame-start 5 --number-frames 10 --labeled-video --threshold 0.25 --format csv,h5 --smooth"
    assert wanted.arguments == ["predict", "/r", "/v.mp4", *said.split(), "--runtime", "onnx", "--overwrite"]
    rig = RigPrediction(Path("/p"), Path("/rec"), True, "c", "h", 5, 10, "d", ("A", "B"), True, True, True, "torch")
    said = "--weights-center-detect c --weights-hybridnet h --frame-start 5 --number-frames 10 --dataset-name d"
    more = "--cameras A,B --shortest --smooth --frame-column --runtime torch"
    assert rig.arguments == ["project", "predict3d", "/p", "/rec", *said.split(), *more.split()]


def test_one_video_has_no_cameras_and_another_network() -> None:
    rig = RigPrediction(Path("/p"), Path("/v.mp4"), False, "c", "k", dataset="d", cameras=("A",), shortest=True)
    said = "--weights-center-detect c --weights-keypoint-detect k"
    assert rig.arguments == ["project", "predict2d", "/p", "/v.mp4", *said.split()]


def test_a_threshold_without_a_video_says_nothing() -> None:
    assert "--threshold" not in PosePrediction(Path("/r"), Path("/v"), labeled_video=False, threshold=0.5).arguments


@pytest.mark.parametrize(("start", "number", "count"), [(0, ALL, 12), (3, ALL, 9), (3, 9, 9), (11, 1, 1), (0, 12, 12)])
def test_frames_that_are_there(start: int, number: int, count: int) -> None:
    assert check_frames(12, start, number) == count


@pytest.mark.parametrize(("start", "number"), [(12, ALL), (-1, ALL), (0, 0), (0, 13), (5, 8), (0, -2)])
def test_frames_that_are_not(start: int, number: int) -> None:
    with pytest.raises(InputError, match="frame"):
        check_frames(12, start, number)


def test_tables_of_a_part_have_their_own_names(place: Place) -> None:
    assert place.project is not None
    run, video = place.project.path / "outputs" / "first", place.project.path / "videos" / "mouse.mp4"
    ((whole, of),) = PosePrediction(run, video).tables()
    ((part, _),) = PosePrediction(run, video, 2, 5).tables()
    ((again, _),) = PosePrediction(run, video, 0, 12).tables()
    assert (whole, of) == (run / "video_preds" / "mouse.csv", video)
    assert part.name == "mouse_frames_2_6.csv"
    assert again == whole
    with pytest.raises(InputError, match="are of videos"):
        PosePrediction(run, place.project.path / "labeled-data" / "mouse", 1).tables()
