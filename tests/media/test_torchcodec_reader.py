"""When a file is left to PyAV, shown with a stand-in for torchcodec that can be told to go wrong."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import av
import numpy as np
import pytest
import torch

from vitruve.media.frame_index import frame_index
from vitruve.media.torchcodec_reader import TorchcodecReader

from .clips import MakeClip, decode_all


class StandIn:
    """What the reader uses of torchcodec's ``VideoDecoder``."""

    fault = ""
    reads = 0

    def __init__(self, path: Path, dimension_order: str, num_ffmpeg_threads: int) -> None:
        assert (dimension_order, num_ffmpeg_threads) == ("NHWC", 1)
        index = frame_index(path)
        assert index is not None
        with av.open(str(path)) as container:
            time_base = float(container.streams.video[0].time_base)
        self.frames = torch.from_numpy(decode_all(path)) + (self.fault == "pixels")
        self.times = torch.from_numpy(index.pts * time_base)
        self.step = time_base

    def __len__(self) -> int:
        return len(self.frames) - (self.fault == "count")

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.frames[number]

    def get_frames_at(self, numbers: list[int]) -> SimpleNamespace:
        type(self).reads += 1
        late = max(numbers) >= 30
        if self.fault == "error" and late:
            raise RuntimeError("no more frames\nand a second line")
        times = self.times[numbers] + self.step * (self.fault == "times" and late)
        return SimpleNamespace(data=self.frames[numbers], pts_seconds=times)


@pytest.fixture
def torchcodec_reader(monkeypatch: pytest.MonkeyPatch) -> type[TorchcodecReader]:
    decoders = ModuleType("torchcodec.decoders")
    decoders.VideoDecoder = StandIn
    monkeypatch.setitem(sys.modules, "torchcodec", ModuleType("torchcodec"))
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", decoders)
    monkeypatch.setattr(StandIn, "reads", 0)
    return TorchcodecReader


def test_a_file_both_agree_on_is_read_with_torchcodec(
    make_clip: MakeClip, torchcodec_reader: type[TorchcodecReader]
) -> None:
    path = make_clip("clip.mp4")
    with torchcodec_reader(path) as video, warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(video.read([40, 3, 3]), decode_all(path)[[40, 3, 3]])
        video.read(range(5, 9))
    assert StandIn.reads == 2


@pytest.mark.parametrize(
    ("fault", "message", "reads"),
    [
        ("count", "49 frames and not PyAV's 50", 0),
        ("pixels", "other pixels than PyAV's", 0),
        ("times", "other frames than PyAV's", 2),
        ("error", "no more frames", 2),
    ],
)
def test_where_they_disagree_pyav_reads_and_one_line_says_so(
    make_clip: MakeClip,
    torchcodec_reader: type[TorchcodecReader],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    message: str,
    reads: int,
) -> None:
    monkeypatch.setattr(StandIn, "fault", fault)
    path = make_clip("clip.mp4")
    truth = decode_all(path)
    with torchcodec_reader(path) as video, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for numbers in ([3, 1], [40, 2], [5], [49, 0]):
            np.testing.assert_array_equal(video.read(numbers), truth[numbers])
    assert [str(warning.message) for warning in caught] == [f"{path}: read with PyAV, not with torchcodec: {message}"]
    assert StandIn.reads == reads


def test_files_without_an_index_are_left_to_pyav(
    make_clip: MakeClip, torchcodec_reader: type[TorchcodecReader]
) -> None:
    path = make_clip("clip.h264", container="h264")
    with torchcodec_reader(path) as video, pytest.warns(UserWarning, match=r"packets do not tell") as caught:
        np.testing.assert_array_equal(video.read([40, 3]), decode_all(path)[[40, 3]])
        video.read([7])
    assert len(caught) == 1 and StandIn.reads == 0
