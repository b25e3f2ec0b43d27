"""What every reader of videos promises, for those that are installed."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest

from vitruve.errors import ConfigError, InputError, MissingExtraError
from vitruve.media.readers import READERS, reader_class
from vitruve.media.video import VideoReader

from .clips import MakeClip, cut, decode_all, mirror_mouse_video
from .test_video_reader import CLIPS, make_known

Reader = type[VideoReader]

READ_BY_TORCHCODEC = {"b_frames.mp4", "variable_rate.mp4", "variable_rate.mkv", "b_frames.mov", "one_keyframe.mp4"}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    try:
        return reader_class(request.param)
    except (MissingExtraError, ConfigError) as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", CLIPS)
def test_frames_are_those_of_sequential_decoding(make_clip: MakeClip, reader: Reader, name: str) -> None:
    path = make_known(make_clip, name)
    truth = decode_all(path)
    order = [*np.random.default_rng(0).permutation(50)[:14], 0, 49, 49, 25, 26]
    with reader(path) as video, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for numbers in (order, range(17, 41), range(3, 12), [49], [0], []):
            np.testing.assert_array_equal(video.read(numbers), truth[list(numbers)])
    messages = [str(warning.message) for warning in caught]
    assert len(messages) <= 1
    assert all(str(path) in message and "\n" not in message for message in messages)
    if reader is VideoReader or name in READ_BY_TORCHCODEC:
        assert not messages


@pytest.mark.filterwarnings("ignore:.*read with PyAV:UserWarning")
@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.ts"])
def test_truncated_files(make_clip: MakeClip, reader: Reader, name: str) -> None:
    path = cut(make_clip(name, **({"muxer": {"movflags": "faststart"}} if name == "cut.mp4" else {})), 0.7)
    truth = decode_all(path)
    with reader(path) as video:
        count = video.count()
        order = [count - 1, 0, count // 2, count - 1]
        np.testing.assert_array_equal(video.read(order), truth[order])
        np.testing.assert_array_equal(video.read(range(count)), truth[:count])


def test_frame_numbers_outside_the_video(make_clip: MakeClip, reader: Reader) -> None:
    with reader(make_clip("clip.mp4")) as video:
        assert video.read([]).shape == (0, 48, 64, 3)
        for number in (-1, 50, 10_000):
            with pytest.raises(InputError, match=f"frame {number} "):
                video.read([3, number])
        assert video.read([4]).shape == (1, 48, 64, 3)


def test_copies(make_clip: MakeClip, reader: Reader) -> None:
    with reader(make_clip("clip.mp4")) as video:
        expected = video.read([5, 40])
        copy = pickle.loads(pickle.dumps(video))
        assert type(copy) is reader
        np.testing.assert_array_equal(copy.read([5, 40]), expected)


def _sums(video: VideoReader, numbers: list[int], queue: multiprocessing.Queue) -> None:
    queue.put([int(video.read([number]).sum()) for number in numbers])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks(make_clip: MakeClip, reader: Reader) -> None:
    with reader(make_clip("clip.mp4")) as video:
        truth = video.read(range(50))
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_sums, args=(video, list(range(21, 50)), queue))
        child.start()
        here = [int(video.read([number]).sum()) for number in range(21, 50)]
        there = queue.get(timeout=20)
        child.join(20)
    expected = [int(frame.sum()) for frame in truth[21:]]
    assert here == expected and there == expected


def test_real_recording(reader: Reader) -> None:
    path = mirror_mouse_video()
    with reader(path) as video, VideoReader(path) as portable, warnings.catch_warnings():
        warnings.simplefilter("error")
        for numbers in (range(300, 364), [993, 0, 250, 251], range(5)):
            np.testing.assert_array_equal(video.read(numbers), portable.read(numbers))


def test_a_reader_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    with pytest.raises(MissingExtraError, match=r"^dali\.general\.reader=torchcodec .*pip install 'vitruve\[video\]'$"):
        reader_class("torchcodec")


def test_a_reader_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ffmpeg = ModuleType("torchcodec")
    without_ffmpeg.ffmpeg_major_version = None
    monkeypatch.setitem(sys.modules, "torchcodec", without_ffmpeg)
    with pytest.raises(ConfigError, match=r"^dali\.general\.reader=torchcodec: .*apt install ffmpeg") as caught:
        reader_class("torchcodec")
    assert "\n" not in str(caught.value)


def test_the_portable_reader_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    assert reader_class("pyav") is VideoReader
