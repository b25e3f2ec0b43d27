from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.media.video import VideoReader, VideoWriter

from .clips import picture


def smooth(number: int, width: int, height: int) -> np.ndarray:
    """A frame without fine detail, which a lossy codec keeps to within a few grey levels."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 2 + number, rows * 2 + 40, 200 - rows - columns + number], axis=2).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_written_frames_come_back(tmp_path: Path, suffix: str) -> None:
    frames = [smooth(number, 64, 48) for number in range(20)]
    with VideoWriter(tmp_path / f"out{suffix}", 30, crf=10) as writer:
        for frame in frames:
            writer.write(frame)
    with VideoReader(tmp_path / f"out{suffix}") as video:
        back = np.stack(list(video.frames()))
        assert video.fps == 30 and video.count() == 20
    error = np.abs(back.astype(int) - np.stack(frames))
    assert error.mean() < 2 and error.max() < 16


def shown_at(path: Path) -> np.ndarray:
    """Times of the frames of a video, as a player has them, s."""
    with av.open(str(path)) as container:
        return np.array([float(frame.pts * frame.time_base) for frame in container.decode(video=0)])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_copy_of_a_video_of_variable_rate_plays_as_it_does(tmp_path: Path, suffix: str) -> None:
    times = np.cumsum([0, *([0.1, 0.033, 0.5, 0.04] * 4)])
    with VideoWriter(tmp_path / f"uneven{suffix}", 30, times=times) as writer:
        for number in range(len(times)):
            writer.write(picture(number))
    with VideoReader(tmp_path / f"uneven{suffix}") as video:
        found, later = video.uneven_times(), video.uneven_times(3)
    assert found is not None and later is not None
    np.testing.assert_allclose(found, times, atol=0.001)
    np.testing.assert_allclose(later, times[3:] - times[3], atol=0.001)
    np.testing.assert_allclose(shown_at(tmp_path / f"uneven{suffix}"), times, atol=0.001)


@pytest.mark.parametrize(("suffix", "tick"), [(".mp4", 1 / 90_000), (".mov", 1 / 90_000), (".mkv", 0.001)])
def test_frames_that_are_too_close_follow_one_another(tmp_path: Path, suffix: str, tick: float) -> None:
    levels = [20, 80, 140, 200, 240]
    with VideoWriter(tmp_path / f"close{suffix}", 30, times=np.array([0, 1e-6, 2e-6, 0.5, 0.4])) as writer:
        for level in levels:
            writer.write(np.full((48, 64, 3), level, np.uint8))
    expected = [0, tick, 2 * tick, 0.5, 0.5 + tick]
    np.testing.assert_allclose(shown_at(tmp_path / f"close{suffix}"), expected, rtol=0, atol=tick / 2)
    with VideoReader(tmp_path / f"close{suffix}") as video:
        np.testing.assert_allclose([image.mean() for image in video.frames()], levels, atol=4)


def test_frames_behind_the_last_time_follow_at_the_usual_rate(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 10, times=np.array([0, 0.5])) as writer:
        for number in range(4):
            writer.write(picture(number))
    np.testing.assert_allclose(shown_at(tmp_path / "out.mp4"), [0, 0.5, 0.6, 0.7], atol=1e-4)


@pytest.mark.parametrize("rate", [5, Fraction(30000, 1001), Fraction(15, 2)])
def test_a_constant_rate_is_kept_exactly(tmp_path: Path, rate: Fraction) -> None:
    with VideoWriter(tmp_path / "even.mp4", rate) as writer:
        for number in range(12):
            writer.write(picture(number))
    with VideoReader(tmp_path / "even.mp4") as video:
        assert video.fps == rate and video.uneven_times() is None and video.uneven_times(5) is None


def test_codec_is_one_that_every_player_shows(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", Fraction(30000, 1001)) as writer:
        writer.write(picture(0))
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(30000, 1001)


def test_odd_sizes_are_padded_and_not_cropped(tmp_path: Path) -> None:
    frames = [smooth(number, 63, 47) for number in range(5)]
    with VideoWriter(tmp_path / "odd.mp4", 25, size=(63, 47), crf=5) as writer:
        for frame in frames:
            writer.write(frame)
    with VideoReader(tmp_path / "odd.mp4") as video:
        assert (video.width, video.height) == (64, 48)
        back = video.read(range(5)).astype(int)
    assert np.abs(back[:, :47, :63] - np.stack(frames)).mean() < 2
    assert np.abs(back[:, :47, 63] - np.stack(frames)[:, :, 62]).mean() < 6


def test_views_that_are_not_contiguous(tmp_path: Path) -> None:
    wide = smooth(0, 128, 48)
    with VideoWriter(tmp_path / "view.mp4", 25, crf=5) as writer:
        writer.write(wide[:, ::-1][:, ::2])
    with VideoReader(tmp_path / "view.mp4") as video:
        assert np.abs(video.read([0])[0].astype(int) - wide[:, ::-1][:, ::2]).mean() < 3


def test_exception_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the old one")
    with pytest.raises(RuntimeError, match="half-way"), VideoWriter(path, 30) as writer:
        for number in range(80):
            writer.write(picture(number))
        raise RuntimeError("half-way")
    assert path.read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


class _FullDisk:
    """A container whose disk fills up after some packets."""

    def __init__(self, container: object, left: int) -> None:
        self._container, self._left = container, left

    def add_stream(self, *args: object, **kwargs: object) -> object:
        return self._container.add_stream(*args, **kwargs)  # type: ignore[attr-defined]

    def mux(self, packets: list[object]) -> None:
        self._left -= len(packets)
        if self._left < 0:
            av.error.err_check(-errno.ENOSPC, "mux")
        self._container.mux(packets)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._container.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("left", [10, 39])
def test_full_disk(tmp_path: Path, left: int) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(InputError, match="disk is full") as caught, VideoWriter(path, 30) as writer:
        writer._container = _FullDisk(writer._container, left)
        for number in range(40):
            writer.write(picture(number))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_frames(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame was written"), VideoWriter(tmp_path / "out.mp4", 30):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frames_of_another_kind(tmp_path: Path) -> None:
    for frame in (
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((48, 66, 3), np.uint8),
    ):
        with (
            pytest.raises(InputError, match="frame"),
            VideoWriter(tmp_path / "out.mp4", 30, (64, 48)) as writer,
        ):
            writer.write(picture(0))
            writer.write(frame)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"fps": 0}, "frame rate"), ({"crf": 60}, "crf=60"), ({"preset": "fastest"}, "preset='fastest'")],
)
def test_bad_settings(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        VideoWriter(tmp_path / "out.mp4", **{"fps": 30, **settings})  # type: ignore[arg-type]


def test_bad_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"written as \.mp4"):
        VideoWriter(tmp_path / "out.gif", 30)
