"""The verbs that predict, with their arguments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitruve.errors import InputError
from vitruve.pipeline.plan import PredictOptions, make_plan
from vitruve.pipeline.views import views_of
from vitruve.project.folder import LATEST
from vitruve.run import RunFiles

ALL = -1
"""As the number of frames: all to the end."""


@dataclass(frozen=True)
class PosePrediction:
    """``vitruve predict``: keypoints or boxes in videos and images.

    Attributes:
        run: Folder of the run.
        source: A video, an image or a folder of either.
        frame_start: The first frame of each video.
        number_frames: How many; :data:`ALL` to the end.
        labeled_video: Also draw a video.
        threshold: Confidence from which it shows keypoints; None as the run's settings say.
        formats: Of the tables.
        smooth: Of an ensemble, smooth over time.
        runtime: What carries the network out; None as the run's settings say.
        overwrite: Predict again what is there.
    """

    run: Path
    source: Path
    frame_start: int = 0
    number_frames: int = ALL
    labeled_video: bool = True
    threshold: float | None = None
    formats: tuple[str, ...] = ("csv",)
    smooth: bool = False
    runtime: str | None = None
    overwrite: bool = False

    @property
    def arguments(self) -> list[str]:
        """As after ``vitruve`` on the command line."""
        words = ["predict", str(self.run), str(self.source), *_frames(self.frame_start, self.number_frames)]
        words += ["--labeled-video"] if self.labeled_video else []
        words += ["--threshold", f"{self.threshold:g}"] if self.threshold is not None and self.labeled_video else []
        words += ["--format", ",".join(self.formats)] if self.formats != ("csv",) else []
        words += ["--smooth"] if self.smooth else []
        words += ["--runtime", self.runtime] if self.runtime else []
        return words + (["--overwrite"] if self.overwrite else [])

    def tables(self) -> list[tuple[Path, Path | None]]:
        """The tables that will be made, each with its video where it is of one.

        Returns:
            In the order in which they are made.

        Raises:
            InputError: The source cannot be predicted with this run.
        """
        files = RunFiles(self.run)
        first = next(iter(files.members()), files)
        options = PredictOptions(
            formats=self.formats,
            labeled_video=self.labeled_video,
            frame_start=self.frame_start,
            number_frames=self.number_frames,
        )
        plan = make_plan(files, views_of(first.read_model()), [self.source], options)
        jobs = [job for group in (*plan.files, *plan.labels) for job in group]
        return [(job.table, job.source if job.of_video and isinstance(job.source, Path) else None) for job in jobs]


@dataclass(frozen=True)
class RigPrediction:
    """``vitruve project predict3d`` and ``predict2d``: points in space in a recording, or keypoints in one video.

    Attributes:
        project: Its folder.
        source: Folder of a recording for points in space, or a video.
        space: Points in space.
        center: Run of CenterDetect.
        network: Run of HybridNet, or of KeypointDetect.
        frame_start: The first frame.
        number_frames: How many; :data:`ALL` to the end.
        dataset: Name of the dataset whose calibration counts; empty for the only one.
        cameras: Names of those that count; none for all.
        shortest: Go on to the end of the shortest video.
        smooth: Also write the points smoothed over time.
        frame_column: Rows begin with the number of the frame.
        runtime: What carries the networks out; None as their settings say.
    """

    project: Path
    source: Path
    space: bool = True
    center: str = LATEST
    network: str = LATEST
    frame_start: int = 0
    number_frames: int = ALL
    dataset: str = ""
    cameras: tuple[str, ...] = ()
    shortest: bool = False
    smooth: bool = False
    frame_column: bool = False
    runtime: str | None = None

    @property
    def arguments(self) -> list[str]:
        """As after ``vitruve`` on the command line."""
        words = ["project", "predict3d" if self.space else "predict2d", str(self.project), str(self.source)]
        words += ["--weights-center-detect", self.center] if self.center != LATEST else []
        which = "--weights-hybridnet" if self.space else "--weights-keypoint-detect"
        words += [which, self.network] if self.network != LATEST else []
        words += _frames(self.frame_start, self.number_frames)
        if self.space:
            words += ["--dataset-name", self.dataset] if self.dataset else []
            words += ["--cameras", ",".join(self.cameras)] if self.cameras else []
            words += ["--shortest"] if self.shortest else []
            words += ["--smooth"] if self.smooth else []
        words += ["--frame-column"] if self.frame_column else []
        return words + (["--runtime", self.runtime] if self.runtime else [])

    @property
    def parent(self) -> Path:
        """Folder of the prediction's folder."""
        return self.project / "predictions" / ("predictions3D" if self.space else "predictions2D")


def check_frames(length: int, frame_start: int, number_frames: int) -> int:
    """How many frames will be predicted.

    Args:
        length: How many there are.
        frame_start: The first one.
        number_frames: How many; :data:`ALL` to the end.

    Returns:
        Their number.

    Raises:
        InputError: There are no such frames.
    """
    if not 0 <= frame_start < length:
        raise InputError(f"First frame {frame_start}: there are frames 0 to {length - 1}")
    rest = length - frame_start
    if number_frames != ALL and not 0 < number_frames <= rest:
        raise InputError(f"Number of frames {number_frames}: there are {rest} from frame {frame_start} on; -1 for all")
    return rest if number_frames == ALL else number_frames


def _frames(start: int, number: int) -> list[str]:
    words = ["--frame-start", str(start)] if start else []
    return words + (["--number-frames", str(number)] if number != ALL else [])
