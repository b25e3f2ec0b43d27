from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from inference.stand_in import Bright, Broken, numbered, predictor, spots
from vitruve.errors import InputError
from vitruve.formats.table import read_predictions
from vitruve.inference.drawing import Look
from vitruve.inference.files import Done, predict_to_files
from vitruve.inference.jobs import Job, jobs_for
from vitruve.inference.predictor import Predictor
from vitruve.media.images import write_image
from vitruve.media.video import VideoReader, VideoWriter

COUNT = 23


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in" / "clip.mp4")


def write_clip(path: Path, count: int = COUNT) -> Path:
    with VideoWriter(path, 25, crf=0) as video:
        for image in numbered(count):
            video.write(image)
    return path


def job(clip: Path, *, video: bool = True, formats: tuple[str, ...] = ("csv",)) -> Job:
    (made,) = jobs_for([clip], clip.parents[1] / "out", clip.parents[1] / "out", formats=formats, labeled_video=video)
    return made


def run(what: Job, network: Predictor | None = None, **options: Any) -> Done:
    return predict_to_files(network or predictor(), what, **{"scorer": "net", "identity": "weights torch", **options})


def frames(path: Path) -> np.ndarray:
    with VideoReader(path) as video:
        return np.stack(list(video.frames()))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_table_of_a_video(clip: Path) -> None:
    done = run(job(clip, video=False))
    assert (done.frames, done.skipped, done.labeled_video) == (COUNT, False, None)
    lines = done.table.read_text().splitlines()
    assert lines[0].split(",")[1:] == ["net"] * 6
    assert lines[1].split(",")[1:] == ["spot"] * 3 + ["other"] * 3
    assert lines[2].split(",")[1:] == ["x", "y", "likelihood"] * 2
    table = pd.read_csv(done.table, header=[0, 1, 2], index_col=0)
    assert list(table.index) == list(range(COUNT))
    np.testing.assert_allclose(table.to_numpy()[:, :2], spots(COUNT), atol=1e-3)
    np.testing.assert_allclose(table.to_numpy()[:, 2], 0.95, atol=1e-6)
    assert files(done.table.parent) == {"clip.csv", ".clip.json"}


def test_finished_ones_are_skipped_and_overwritten_when_asked(clip: Path) -> None:
    what = job(clip, formats=("csv", "h5"))
    first = run(what)
    written = {path: path.read_bytes() for path in first.outputs}
    assert len(written) == 3
    second = run(what)
    assert second.skipped and second.frames == 0 and second.outputs == first.outputs
    third = run(what, overwrite=True)
    assert not third.skipped and third.frames == COUNT
    assert first.table.read_bytes() == written[first.table]
    # Another network, or other settings of it: predicted again without being asked.
    fourth = run(what, identity="other weights")
    assert not fourth.skipped and fourth.frames == COUNT


def test_only_what_is_missing_is_made(clip: Path) -> None:
    what = job(clip, formats=("csv", "h5"))
    done = run(what)
    table, video, h5 = done.table, done.labeled_video, done.table.with_suffix(".h5")
    assert video is not None
    before = frames(video)
    for path in (video, h5):
        path.unlink()
        again = run(what)
        assert not again.skipped and again.frames == 0 and path.is_file()
    np.testing.assert_array_equal(frames(video), before)
    pd.testing.assert_frame_equal(read_predictions(table), pd.read_hdf(h5))
    # Without the drawing at first, with it later.
    video.unlink()
    assert run(job(clip, video=False)).skipped
    assert run(what).frames == 0 and video.is_file()


def test_a_drawing_follows_how_it_is_to_look_and_what_the_table_says(clip: Path) -> None:
    what = job(clip)
    video = what.labeled_video
    assert video is not None
    run(what, look=Look(threshold=0.5))
    with_dots = frames(video)
    assert run(what, look=Look(threshold=0.5)).skipped
    assert run(what, look=Look(threshold=0.99)).frames == 0
    without_dots = frames(video)
    assert (with_dots != without_dots).any()
    # Interrupted and gone on with, a table of other weights leaves no drawing of the old ones.
    with pytest.raises(RuntimeError):
        run(what, Broken(Bright(), 2), identity="other", look=Look(threshold=0.5))
    run(what, identity="other", look=Look(threshold=0.5))
    np.testing.assert_array_equal(frames(video), with_dots)


def test_a_drawing_that_shows_hardly_anything_says_so(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    what = job(clip)
    run(what, look=Look(threshold=0.5))
    assert not caplog.messages
    scores = read_predictions(what.table).to_numpy(float)[:, 2::3]
    run(what, look=Look(threshold=1.0))
    (said,) = caplog.messages
    assert f"shows 0 of {scores.size} keypoints, those with a likelihood of at least 1" in said
    assert f"{np.floor(np.median(scores) * 100) / 100:.2f} or more" in said and "--threshold" in said
    caplog.clear()
    run(what, look=Look(threshold=1.0), overwrite=True)
    assert caplog.messages == [said], "drawn at once, or later from the table"


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("batches", [0, 1, 3, 5])
def test_interrupted_it_goes_on_to_the_same_files(clip: Path, tmp_path: Path, batches: int, context: int) -> None:
    what = job(clip, formats=("csv", "h5"))
    unbroken = run(what, predictor(4, context))
    wanted, drawn = unbroken.table.read_bytes(), frames(unbroken.labeled_video)  # type: ignore[arg-type]
    moved = Job(clip, tmp_path / "other" / "clip.csv", tmp_path / "other" / "drawn.mp4", ("csv", "h5"))
    with pytest.raises(RuntimeError, match="killed"):
        run(moved, Broken(Bright(context), batches))
    assert not moved.table.exists() and not moved.labeled_video.exists()  # type: ignore[union-attr]
    done = run(moved, predictor(4, context))
    kept = min(batches, COUNT // 4) * 4
    assert COUNT - kept <= done.frames <= COUNT and (batches < 3 or done.frames < COUNT)
    assert moved.table.read_bytes() == wanted
    np.testing.assert_array_equal(frames(moved.labeled_video), drawn)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(read_predictions(moved.table), pd.read_hdf(moved.table.with_suffix(".h5")))
    assert not [name for name in files(tmp_path / "other") if "part" in name]
    assert run(moved, predictor(4, context)).skipped


@pytest.mark.parametrize("tail", [b"23,1.0,2.", b"", b"\n"])
def test_half_a_row_is_not_kept(clip: Path, tail: bytes) -> None:
    what = job(clip, video=False)
    wanted = run(what).table.read_bytes()
    with pytest.raises(RuntimeError):
        run(what, Broken(Bright(), 3), overwrite=True)
    with what.part.open("ab") as stream:
        stream.write(tail)
    run(what)
    assert what.table.read_bytes() == wanted


def test_a_part_of_something_else_is_not_gone_on_with(clip: Path) -> None:
    what = job(clip, video=False)
    for identity, batch_size in (("other weights", 4), ("weights torch", 3)):
        with pytest.raises(RuntimeError):
            run(what, Broken(Bright(), 3))
        done = run(what, predictor(batch_size), identity=identity)
        assert done.frames == COUNT
        what.table.unlink()


def test_killed_for_real_at_any_moment(clip: Path, tmp_path: Path) -> None:
    wanted = run(job(clip)).table.read_bytes()
    what = Job(clip, tmp_path / "killed" / "clip.csv", tmp_path / "killed" / "drawn.mp4")
    rename = Path.replace
    for count in range(1, 6):
        child = os.fork()
        if child == 0:  # dies beside the n-th rename, before it if n is odd
            seen = 0

            def counted(self: Path, target: Any, count: int = count) -> Path:
                nonlocal seen
                seen += 1
                if seen == count and count % 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = rename(self, target)
                if seen == count:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            Path.replace = counted  # type: ignore[assignment, method-assign]
            try:
                run(what)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    done = run(what)
    assert what.table.read_bytes() == wanted
    np.testing.assert_array_equal(frames(done.labeled_video), frames(job(clip).labeled_video))  # type: ignore[arg-type]


def test_an_interrupted_overwriting_goes_on_without_being_told_again(clip: Path) -> None:
    what = job(clip, video=False)
    what.table.parent.mkdir(parents=True)
    what.table.write_text("someone's own table\n")
    with pytest.raises(InputError, match=r"clip\.csv: is there already and was not written by 'vitruve predict'"):
        run(what)
    with pytest.raises(RuntimeError):
        run(what, Broken(Bright(), 2), overwrite=True)
    assert what.table.read_text() == "someone's own table\n"
    assert run(what).frames == COUNT - 8


def test_tables_of_another_source_are_refused(clip: Path, tmp_path: Path) -> None:
    what = job(clip, video=False)
    run(what)
    content = what.table.read_bytes()
    other = job(write_clip(tmp_path / "elsewhere" / "clip.mp4", 5), video=False)
    assert other.table == what.table
    with pytest.raises(InputError, match=r"clip\.csv: holds predictions of another file"):
        run(other)
    os.utime(clip, ns=(1, 1))
    with pytest.raises(InputError, match=r"or of clip\.mp4 before it was changed; give --overwrite"):
        run(what)
    assert what.table.read_bytes() == content
    assert run(other, overwrite=True).frames == 5


def test_images_of_a_folder_fill_one_table(tmp_path: Path) -> None:
    paths = []
    for index, image in enumerate(numbered(7)):
        path = tmp_path / "set" / f"img{index}.png"
        write_image(path, image)
        paths.append(path)
    (what,) = jobs_for(paths, tmp_path / "out", tmp_path / "out", formats=("csv", "h5"), labeled_video=True)
    assert what.table == tmp_path / "out" / "set.csv" and what.labeled_video is None
    with pytest.raises(RuntimeError):
        run(what, Broken(Bright(), 1))
    assert run(what).frames == 3
    table = read_predictions(what.table)
    assert list(table.index) == [f"set/img{index}.png" for index in range(7)]
    np.testing.assert_allclose(table.to_numpy()[:, :2], spots(7), atol=1e-3)
    pd.testing.assert_frame_equal(table, pd.read_hdf(what.table.with_suffix(".h5")))


def test_a_full_disk_keeps_what_is_there(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = job(clip)
    sync = os.fsync

    def full(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().suffix == ".part":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"clip\.csv\.part: cannot be written \(No space left") as caught:
            run(what)
    assert "\n" not in str(caught.value)
    assert not what.table.exists() and not what.labeled_video.exists()  # type: ignore[union-attr]
    assert run(what).frames == COUNT % 4, "the rows that were whole are not predicted again"


@pytest.mark.parametrize("context", [0, 2])
def test_a_damaged_image_has_an_empty_row_and_is_named(tmp_path: Path, context: int) -> None:
    paths = [tmp_path / "set" / f"img{index}.png" for index in range(7)]
    for path, image in zip(paths, numbered(7), strict=True):
        write_image(path, image)
    paths[1].write_bytes(b"no image")
    paths[5].write_bytes(paths[5].read_bytes()[:-20])
    (what,) = jobs_for(paths, tmp_path / "out", tmp_path / "out", formats=("csv",), labeled_video=False)
    # Killed behind the first batch, which has a damaged image: the process that goes on has not seen it.
    with pytest.raises(RuntimeError, match="killed"):
        run(what, Broken(Bright(context), 1))
    done = run(what, predictor(4, context))
    first, second = done.unreadable
    assert "img1.png: not an image" in first and "img5.png: the image file is cut short" in second
    table = read_predictions(what.table).to_numpy()
    damaged = np.isin(np.arange(7), (1, 5))
    assert np.isnan(table[damaged]).all()
    np.testing.assert_allclose(table[~damaged, :2], spots(7)[~damaged], atol=1e-3)
    again = run(what, predictor(4, context))
    assert again.skipped and again.unreadable == done.unreadable


def test_where_every_image_is_damaged_nothing_is_written(tmp_path: Path) -> None:
    paths = [tmp_path / "set" / "a.png", tmp_path / "set" / "b.png"]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(b"no image")
    (what,) = jobs_for(paths, tmp_path / "out", tmp_path / "out", formats=("csv",), labeled_video=False)
    with pytest.raises(InputError, match=r"a\.png: not an image.* \(and so are the other 1\)"):
        run(what)
    assert not files(tmp_path / "out")


def test_a_source_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.mp4: no such file"):
        run(Job(tmp_path / "gone.mp4", tmp_path / "out" / "gone.csv"))


def test_an_empty_prediction_is_a_row_of_gaps(clip: Path) -> None:
    class Blind(Bright):
        def decode(self, outputs: Any, batch: Any) -> Any:
            found = super().decode(outputs, batch)
            return found.map(lambda array: array[:, :, :0])

    done = run(job(clip), Predictor(Blind(), 4))
    assert read_predictions(done.table).isna().all().all() and done.frames == COUNT


def test_the_note_says_what_the_table_belongs_to(clip: Path) -> None:
    what, before = job(clip, video=False), time.time()
    run(what)
    note = json.loads(what.finished.read_text())
    assert note["identity"] == "weights torch" and note["batch_size"] == 4
    assert what.table.stat().st_mtime >= before - 5


def test_reading_stops_when_writing_fails(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []

    class Watched(Predictor):
        def stream_source(self, *arguments: Any) -> Any:
            stream = super().stream_source(*arguments)

            def watched() -> Iterator[Any]:
                try:
                    yield from stream
                finally:
                    stream.close()
                    closed.append(1)

            return watched()

    def fail(*arguments: Any, **options: Any) -> Any:
        raise InputError("No space left")

    monkeypatch.setattr("vitruve.inference.layout.format_rows", fail)
    with pytest.raises(InputError, match="No space left"):
        run(job(clip, video=False), Watched(Bright(), 4))
    assert closed == [1]
