from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from vitruve.errors import InputError
from vitruve.media import video as video_module
from vitruve.media.frame_index import frame_index
from vitruve.media.video import VideoReader, is_video

from .clips import MakeClip, cut, decode_all, mirror_mouse_video

IRREGULAR_MS = list(np.cumsum(np.random.default_rng(3).integers(5, 120, 50)).tolist())

CLIPS = {
    "b_frames.mp4": {},
    "variable_rate.mp4": {"pts": IRREGULAR_MS},
    "variable_rate.mkv": {"pts": IRREGULAR_MS},
    "b_frames.ts": {},
    "b_frames.mov": {},
    "one_keyframe.mp4": {"options": {"bf": "2", "g": "1000", "sc_threshold": "0"}},
    "open_gop.ts": {"options": {"bf": "3", "x264-params": "open-gop=1:keyint=12:min-keyint=6:bframes=3"}},
    "intra_refresh.ts": {"options": {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}},
    "motion.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "b_frames.avi": {},
    "elementary.h264": {"container": "h264"},
    "fields.mkv": {"options": {"flags": "+ildct+ilme", "g": "12"}},
    "hidden_frames.webm": {
        "codec": "libvpx",
        "options": {"auto-alt-ref": "1", "lag-in-frames": "10", "g": "15"},
    },
    "lossless.mkv": {"codec": "ffv1", "pixel_format": "yuv444p"},
    "ten_bit.mp4": {"pixel_format": "yuv420p10le"},
    "grey.avi": {"codec": "rawvideo", "pixel_format": "gray"},
    "odd_size.mkv": {"codec": "ffv1", "pixel_format": "yuv420p", "size": (63, 47)},
}
INDEXED = {
    "b_frames.mp4",
    "variable_rate.mp4",
    "variable_rate.mkv",
    "b_frames.ts",
    "b_frames.mov",
    "motion.avi",
}
NOT_INDEXED = {"elementary.h264"}


def make_known(make_clip: MakeClip, name: str) -> Path:
    settings = CLIPS[name]
    codec = settings.get("codec", "libx264")
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV has no {codec} encoder")
    return make_clip(name, **settings)


@pytest.mark.parametrize("name", CLIPS)
def test_every_access_equals_sequential_decoding(make_clip: MakeClip, name: str) -> None:
    path = make_known(make_clip, name)
    truth = decode_all(path)
    assert len(truth) == 50
    with VideoReader(path) as video, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (video.width, video.height) == truth.shape[2:0:-1]
        np.testing.assert_array_equal(np.stack(list(video.frames())), truth)
        order = [*np.random.default_rng(0).permutation(50)[:14], 0, 49, 49, 25, 26]
        np.testing.assert_array_equal(video.read(order), truth[order])
        for number in (49, 7, 8, 31, 0):
            np.testing.assert_array_equal(video.read([number])[0], truth[number])
        for start in (1, 13, 24, 49):
            np.testing.assert_array_equal(np.stack(list(video.frames(start))), truth[start:])
        assert list(video.frames(50)) == []
        assert video.count() == 50
        threaded = list(video.frames(5, thread_count=3))
        np.testing.assert_array_equal(np.stack(threaded), truth[5:])


@pytest.mark.parametrize("name", sorted(INDEXED | NOT_INDEXED))
def test_index_is_used_where_packets_tell(make_clip: MakeClip, name: str) -> None:
    path = make_known(make_clip, name)
    index = frame_index(path)
    assert (index is not None) == (name in INDEXED)
    if index is None:
        return
    assert len(index) == 50 and len(index.keys) > 2
    with VideoReader(path) as video:
        video.read([49, 3, 30])
        assert not video._sequential


def test_seek_does_not_decode_from_the_beginning(make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip("long.mp4")

    def refused(*args: object, **kwargs: object) -> None:
        raise AssertionError("decoded from the beginning")

    with VideoReader(path) as video:
        monkeypatch.setattr(video_module, "decode_from_start", refused)
        video.read([45, 46, 47])
        video.read([30])


def test_frames_are_contiguous_and_own_their_memory(make_clip: MakeClip) -> None:
    with VideoReader(make_clip("clip.mp4", size=(70, 50))) as video:
        frames = list(video.frames())
    assert all(f.flags.c_contiguous and f.flags.writeable and f.dtype == np.uint8 for f in frames)
    kept = frames[1].copy()
    frames[0][:] = 0
    np.testing.assert_array_equal(frames[1], kept)


@pytest.mark.parametrize("share", [0.4, 0.7, 0.93])
@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.ts", "cut.avi", "cut.h264"])
def test_truncated_gives_what_decodes(make_clip: MakeClip, name: str, share: float) -> None:
    settings: dict[str, object] = {"muxer": {"movflags": "faststart"}} if name == "cut.mp4" else {}
    if name == "cut.avi":
        settings = {"codec": "mjpeg", "pixel_format": "yuvj420p"}
    if name == "cut.h264":
        settings = {"container": "h264"}
    path = cut(make_clip(name, **settings), share)
    truth = decode_all(path)
    assert 0 < len(truth) < 50
    with VideoReader(path) as video:
        # The half of a frame that some containers leave at the cut is not given.
        count = video.count()
        assert len(truth) - 1 <= count <= len(truth)
        truth = truth[:count]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            frames = np.stack(list(video.frames()))
            threaded = np.stack(list(video.frames(thread_count=2)))
        np.testing.assert_array_equal(frames, truth)
        # A raw stream marks no frame's end: of the last one a part is there, and threads patch up the rest differently.
        whole = count - 1 if name == "cut.h264" else count
        np.testing.assert_array_equal(threaded[:whole], truth[:whole])
        assert len(threaded) == count
        order = [count - 1, 0, count // 2, count - 1]
        np.testing.assert_array_equal(video.read(order), truth[order])
        with pytest.raises(InputError, match=f"frame {count} .*has {count} frames"):
            video.read([count])
    if name in ("cut.mp4", "cut.mkv", "cut.avi"):
        message = str(caught[0].message)
        assert len(caught) == 2
        assert str(path) in message and f"{count} frames" in message and "\n" not in message


def test_zeroed_block_keeps_numbers_true(make_clip: MakeClip) -> None:
    path = make_clip("zeroed.mp4")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 900 : middle + 900] = bytes(1800)
    path.write_bytes(bytes(content))
    truth = decode_all(path)
    assert len(truth) < 50
    with VideoReader(path) as video:
        with pytest.warns(UserWarning, match=f"{len(truth)} frames could be decoded"):
            np.testing.assert_array_equal(np.stack(list(video.frames())), truth)
        last = len(truth) - 1
        np.testing.assert_array_equal(video.read([last, 2, last - 5]), truth[[last, 2, last - 5]])
        assert video.count() == len(truth)


def test_wrong_index_is_noticed(make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip("clip.mp4")
    truth = decode_all(path)
    index = frame_index(path)
    assert index is not None
    index.pts[30:40] += 3
    try:
        with VideoReader(path) as video:
            np.testing.assert_array_equal(video.read([35, 33]), truth[[35, 33]])
            assert video._sequential
            assert video.count() == 50
    finally:
        index.pts[30:40] -= 3


def test_replaced_file_is_indexed_again(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", frames=20)
    with VideoReader(path) as video:
        assert video.count() == 20
    shutil.move(make_clip("longer.mp4", frames=33), path)
    with VideoReader(path) as video:
        assert video.count() == 33


def test_rate_and_estimate(make_clip: MakeClip) -> None:
    with VideoReader(make_clip("clip.mp4")) as video:
        assert video.fps == 30 and video.estimated_count == 50
    with VideoReader(make_clip("clip.mkv")) as video:
        assert video.fps == 30 and video.estimated_count == 50
    with VideoReader(make_clip("clip.h264", container="h264")) as video:
        assert video.fps > 0 and video.estimated_count is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "no such video"),
        ("empty.mp4", b"", "empty"),
        ("ten.mp4", b"0123456789", "not a video.*10 bytes"),
        ("text.mp4", b"x,y,likelihood\n" * 400, "not a video"),
    ],
)
def test_not_a_video(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        VideoReader(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_picture_is_not_a_video(tmp_path: Path) -> None:
    from vitruve.media.images import write_image

    write_image(tmp_path / "picture.png", np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "picture.png").rename(tmp_path / "picture.mp4")
    with pytest.raises(InputError, match="not a video"):
        VideoReader(tmp_path / "picture.mp4")


def test_a_list_of_other_files_is_not_a_video(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip("other.ts")
    made = tmp_path / "clip.mp4"
    made.write_text(f"ffconcat version 1.0\nfile {clip.name}\n")
    with av.open(str(made)) as followed:
        assert followed.streams.video, "FFmpeg would follow it"
    with pytest.raises(InputError, match="not a video"):
        VideoReader(made)


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no video stream"):
        VideoReader(path)


def test_no_frames(make_clip: MakeClip) -> None:
    path = make_clip("whole.mp4", muxer={"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 60])
    with pytest.raises(InputError, match="no frame"):
        VideoReader(path)


def test_header_without_packets(tmp_path: Path) -> None:
    path = tmp_path / "header.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.start_encoding()
    with pytest.raises(InputError, match=r"not a video|no frame"):
        VideoReader(path)


def test_changing_frame_size(make_clip: MakeClip) -> None:
    first = make_clip("first.h264", container="h264", frames=5)
    second = make_clip("second.h264", container="h264", frames=5, size=(96, 64))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    with VideoReader(first) as video, pytest.raises(InputError, match="from 64x48 to 96x64"):
        list(video.frames())


def test_rotation_is_ignored(make_clip: MakeClip) -> None:
    path = make_clip("upright.mp4")
    # The matrix of the track header, 16.16 fixed point: the unit matrix becomes a quarter turn.
    unit = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
    quarter = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00300000 00000000 40000000")
    content = path.read_bytes()
    at = content.index(unit, content.index(b"tkhd"))
    upright = decode_all(path)
    path.write_bytes(content[:at] + quarter + content[at + len(unit) :])
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation != 0
    with VideoReader(path) as video:
        np.testing.assert_array_equal(video.read([0, 9]), upright[[0, 9]])


def test_names(tmp_path: Path) -> None:
    assert is_video("a/B.MP4") and is_video(tmp_path / "x.avi")
    assert not is_video("x.png") and not is_video("mp4")


def test_real_recording() -> None:
    path = mirror_mouse_video()
    with VideoReader(path) as video:
        assert (video.width, video.height, video.fps, video.estimated_count) == (396, 406, 250, 994)
        assert video.count() == 994
        picks = [0, 1, 250, 251, 700, 993]
        wanted = dict.fromkeys(picks)
        for number, frame in enumerate(video.frames()):
            if number in wanted:
                wanted[number] = frame
        np.testing.assert_array_equal(video.read(picks), np.stack([wanted[n] for n in picks]))
