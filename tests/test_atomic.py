from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from vitruve.atomic import LOCK, alone, atomic_files, atomic_json, atomic_path, atomic_write, remove_leftovers
from vitruve.errors import InputError


def test_text_and_bytes_replace_a_file_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    atomic_write(path, "grün\n")
    assert path.read_bytes() == "grün\n".encode()
    atomic_write(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_files_of_a_folder_are_found_by_their_names(tmp_path: Path) -> None:
    made = atomic_files(tmp_path / "new", {"a.csv": "1\n", "camera.1.png": b"\x89"})
    assert made == {"a": tmp_path / "new" / "a.csv", "camera.1": tmp_path / "new" / "camera.1.png"}
    assert made["a"].read_text() == "1\n" and made["camera.1"].read_bytes() == b"\x89"


def test_the_block_writes_beside_the_target_under_its_suffix(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    target.write_text("before")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".mp4" and temporary != target
        temporary.write_text("after")
        assert target.read_text() == "before"
    assert target.read_text() == "after"
    assert not temporary.exists()


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), FileNotFoundError(errno.ENOENT, "gone")])
def test_whatever_goes_wrong_the_target_stays_as_it_was(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "a.csv"
    target.write_text("before")
    with pytest.raises(type(failure)) as caught, atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert caught.value is failure and caught.value.__cause__ is None
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_and_replaces_nothing(tmp_path: Path, number: int) -> None:
    target = tmp_path / "a.csv"
    target.write_text("before")
    full = pytest.raises(InputError, match=r"a\.csv: the disk is full; nothing was replaced")
    with full as caught, atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value)
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_disk_that_is_full_only_when_it_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="the disk is full"):
        atomic_write(tmp_path / "a.json", "{}")
    assert list(tmp_path.iterdir()) == []


def test_content_is_flushed_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    original = os.fsync

    def spy(handle: int) -> None:
        flushed.append((os.fstat(handle).st_size, (tmp_path / "a").exists()))
        original(handle)

    monkeypatch.setattr(os, "fsync", spy)
    atomic_write(tmp_path / "a", "12345")
    assert flushed == [(5, False)]


def test_a_folder_in_the_place_of_a_file_and_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="a: cannot be written"):
        atomic_write(tmp_path / "a", "x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"b\.txt: cannot be written .*; choose a folder you may write to"):
        atomic_write(tmp_path / "file" / "b.txt", "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "file"]


def test_trouble_with_another_file_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    with pytest.raises(PermissionError) as caught, atomic_path(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "Permission denied", str(other))
    assert caught.value.filename == str(other)
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_the_rights_that_open_would_give(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_json_is_plain_and_refuses_what_other_languages_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_json(path, {"k": [1, None, "ü"]})
    assert json.loads(path.read_text()) == {"k": [1, None, "ü"]}
    with pytest.raises(ValueError):
        atomic_json(path, {"k": float("nan")})
    assert json.loads(path.read_text()) == {"k": [1, None, "ü"]}


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("whole")
        left = [tmp_path / temporary.name.replace("a.", "b.", 1), tmp_path / temporary.name]
        for path in left:
            path.write_text("half")
        others = [tmp_path / ".hidden.json", tmp_path / "writing-a.json"]
        for path in others:
            path.write_text("someone's")
    left[1].write_text("half")
    (tmp_path / ".tmpP2SktL").write_text("what safetensors leaves when it is killed")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.json", *others])


def test_threads_that_read_and_write_wait_for_one_another(tmp_path: Path) -> None:
    path = tmp_path / "count"
    path.write_text("0")

    def count() -> None:
        for _ in range(20):
            with alone(path):
                read = int(path.read_text())
                time.sleep(0.001)
                path.write_text(str(read + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "80"


def test_what_is_locked_is_open_for_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_nfs_does(handle: int, operation: int) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", as_nfs_does)
    with alone(tmp_path / "a.json"):
        pass


def test_what_cannot_be_locked_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="No such file"), alone(tmp_path / "gone" / "a.json"):
        pass
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=LOCK), alone(tmp_path / "linked" / "a.json"):
        pass
    assert not (tmp_path / "elsewhere").exists()

    def refuses(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuses)
    handles = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(InputError, match=r"cannot be locked.*No locks available"), alone(tmp_path / "a.json"):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == handles


def test_the_lock_of_another_user_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plainly = os.open
    (tmp_path / LOCK).touch()

    def may_read(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plainly(path, flags, mode)

    with monkeypatch.context() as other:
        other.setattr(os, "open", may_read)
        with alone(tmp_path / "a.json"), (tmp_path / LOCK).open() as stream, pytest.raises(BlockingIOError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_goes_wrong_in_the_block_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), alone(tmp_path / "a.json"):
        raise FileNotFoundError("other")
