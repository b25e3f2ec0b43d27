"""What is done with recordings: points in space and in single videos, and videos of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitruve.pipeline.predict_3d import Predicted
    from vitruve.structures.skeleton import Skeleton


def predict_3d(
    run: str | Path,
    recording: str | Path,
    calibration: str | Path | None = None,
    *,
    output: str | Path | None = None,
    cameras: Sequence[str] | None = None,
    frame_start: int = 0,
    number_frames: int = -1,
    shortest: bool = False,
    frame_column: bool = False,
    smooth: bool = False,
    locator: str | Path | None = None,
    training_set: str | Path | None = None,
    runtime: str | None = None,
    batch_size: int | None = None,
) -> Predicted:
    """Predict points in space in a recording of calibrated cameras, into a folder of tables.

    Args:
        run: The run directory of a network that gives points in space, such as ``hybridnet``.
        recording: Folder with one video a camera; a name up to its first full stop is that of the camera.
        calibration: A calibration of any kind, or the name of a dataset of the training set; None for the only one of
            the set or, without a set, for one that lies with the videos.
        output: Where the folder ``Predictions_3D_<time>`` is made; by default ``predictions/predictions3D`` in the run.
        cameras: Names of the cameras that count; None for all, each of which must have a video.
        frame_start: The first frame.
        number_frames: How many; -1 for all to the end.
        shortest: Where the videos differ in length, go on to the end of the shortest.
        frame_column: Begin the rows with the number of the frame.
        smooth: Also write the points smoothed over time.
        locator: Run that finds the animal; None for the one that the run keeps.
        training_set: JARVIS' TrainingSet, whose calibrations are known by their names.
        runtime: What carries the network out; None as the run's settings say.
        batch_size: Instants that go through the network together; None as the run's settings say.

    Returns:
        The folder, how many frames have points, and the rate of each stage.

    Raises:
        RunError: The directory is no finished run, or is damaged.
        ConfigError: The run gives no points in space.
        InputError: A camera has no video or no calibration, the videos differ in length or resolution, or the animal
            was located in no frame.
    """
    from vitruve.formats.coordinates_3d import PredictionInfo
    from vitruve.inference.open import open_run
    from vitruve.pipeline.predict import leave_cores_to
    from vitruve.pipeline.predict_3d import check_run, predict_recording
    from vitruve.pipeline.rig_recording import find_cameras, open_recording

    folder, home = Path(recording), Path(run)
    rig, place = find_cameras(calibration, folder, None if training_set is None else Path(training_set))
    opened_recording = open_recording(
        folder, rig, cameras, frame_start=frame_start, number_frames=number_frames, shortest=shortest
    )
    check_run(home)
    opened = open_run(
        home, runtime, batch_size, opened_recording.count, locator=None if locator is None else Path(locator)
    )
    leave_cores_to(opened.runtime)
    known = training_set is not None and (calibration is None or not Path(calibration).exists())
    info = PredictionInfo(
        str(folder.resolve()), place.name if known else str(place.resolve()), frame_start, number_frames
    )
    parent = home / "predictions" / "predictions3D" if output is None else Path(output)
    return predict_recording(opened, opened_recording, info, parent, frame_column=frame_column, smooth=smooth)


def predict_2d(
    run: str | Path,
    video: str | Path,
    *,
    output: str | Path | None = None,
    frame_start: int = 0,
    number_frames: int = -1,
    frame_column: bool = False,
    locator: str | Path | None = None,
    runtime: str | None = None,
    batch_size: int | None = None,
) -> Predicted:
    """Predict keypoints in one video, into a folder with ``data2D.csv``.

    Args:
        run: The run directory of a network that looks at single images, such as ``efficienttrack``.
        video: The video.
        output: Where the folder ``Predictions_2D_<time>`` is made; by default ``predictions/predictions2D`` in the run.
        frame_start: The first frame.
        number_frames: How many; -1 for all to the end.
        frame_column: Begin the rows with the number of the frame.
        locator: Run that finds the animal; None for the one that the run keeps.
        runtime: What carries the network out; None as the run's settings say.
        batch_size: Images that go through the network together; None as the run's settings say.

    Returns:
        The folder, how many frames have points, and the rate of each stage.

    Raises:
        RunError: The directory is no finished run, or is damaged.
        ConfigError: The run looks at several cameras together.
        InputError: The video cannot be read, or the animal was located in no frame.
    """
    from vitruve.formats.coordinates_3d import PredictionInfo
    from vitruve.inference.open import open_run
    from vitruve.media.video import VideoReader
    from vitruve.pipeline.predict import leave_cores_to
    from vitruve.pipeline.predict_2d import predict_video
    from vitruve.pipeline.rig_recording import frames_of

    file, home = Path(video), Path(run)
    with VideoReader(file) as reader:
        count = frames_of(file, reader.count(), frame_start, number_frames)
    opened = open_run(
        home,
        runtime,
        batch_size,
        count,
        locator=None if locator is None else Path(locator),
    )
    leave_cores_to(opened.runtime)
    info = PredictionInfo(str(file.resolve()), None, frame_start, number_frames)
    parent = home / "predictions" / "predictions2D" if output is None else Path(output)
    return predict_video(opened, file, info, parent, frame_column=frame_column)


def create_videos_3d(
    prediction: str | Path,
    output: str | Path | None = None,
    *,
    cameras: Sequence[str] | None = None,
    threshold: float = 0.3,
    colormap: str = "jet",
    frame_start: int | None = None,
    number_frames: int = -1,
    recording: str | Path | None = None,
    calibration: str | Path | None = None,
    training_set: str | Path | None = None,
    skeleton: Skeleton | None = None,
) -> list[Path]:
    """Draw points in space into copies of the videos of chosen cameras.

    Args:
        prediction: The folder of a prediction, or one of its tables of points; those of JARVIS fit, too.
        output: Folder of the videos ``<camera>.mp4``; None for ``videos`` in that of the prediction.
        cameras: Their names; None for all that have a video.
        threshold: Confidence, 0 to 1, from which keypoints are drawn.
        colormap: Name of a matplotlib colormap.
        frame_start: The first frame; None for that of the prediction.
        number_frames: How many; -1 for all of the prediction.
        recording: Folder of the videos, where they have moved.
        calibration: As for :func:`predict_3d`; None for that of the prediction.
        training_set: As for :func:`predict_3d`.
        skeleton: Which keypoints are connected; None for what the prediction says.

    Returns:
        The videos.

    Raises:
        InputError: A file is missing or not as it should be, or there is no such camera or frame.
    """
    from vitruve.inference.drawing import Look
    from vitruve.pipeline.create_videos import Drawing, draw_videos_3d

    return draw_videos_3d(
        Path(prediction),
        None if output is None else Path(output),
        Drawing(Look(threshold, colormap), skeleton, frame_start, number_frames),
        cameras=cameras,
        recording=None if recording is None else Path(recording),
        calibration=calibration,
        training_set=None if training_set is None else Path(training_set),
    )


def create_videos_2d(
    prediction: str | Path,
    output: str | Path | None = None,
    *,
    threshold: float = 0.3,
    colormap: str = "jet",
    frame_start: int | None = None,
    number_frames: int = -1,
    video: str | Path | None = None,
    skeleton: Skeleton | None = None,
) -> Path:
    """Draw the keypoints of a prediction into a copy of their video.

    Args:
        prediction: The folder of a prediction, or its ``data2D.csv``.
        output: Folder of the video; None for ``videos`` in that of the prediction.
        threshold: Confidence, 0 to 1, from which keypoints are drawn.
        colormap: Name of a matplotlib colormap.
        frame_start: The first frame; None for that of the prediction.
        number_frames: How many; -1 for all of the prediction.
        video: The video, where it has moved.
        skeleton: Which keypoints are connected; None for what the prediction says.

    Returns:
        The drawn video.

    Raises:
        InputError: A file is missing or not as it should be, or there is no such frame.
    """
    from vitruve.inference.drawing import Look
    from vitruve.pipeline.create_videos import Drawing, draw_video_2d

    return draw_video_2d(
        Path(prediction),
        None if output is None else Path(output),
        Drawing(Look(threshold, colormap), skeleton, frame_start, number_frames),
        video=None if video is None else Path(video),
    )
