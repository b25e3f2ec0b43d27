"""What the web app may touch: the folders that were named when it was started, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vitruve.errors import InputError
from vitruve.jobs import Jobs

HIDDEN = ".vitruve"
"""Folder for what the app itself keeps, in the first of its folders."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Workspace:
    """The folders that the app serves and writes below.

    Attributes:
        roots: With all links resolved; the first one is where new projects go unless something else is said.
    """

    roots: tuple[Path, ...]

    @classmethod
    def of(cls, folders: Sequence[str | Path]) -> Workspace:
        """A workspace.

        Args:
            folders: They must be there.

        Returns:
            The workspace; a folder that is named twice is in it once.

        Raises:
            InputError: One is not there.
        """
        roots = []
        for folder in folders:
            path = Path(folder).expanduser()
            if not path.is_dir():
                raise InputError(f"{folder}: no such folder; name folders that hold projects or recordings")
            roots.append(path.resolve())
        return cls(tuple(dict.fromkeys(roots)))

    @property
    def home(self) -> Path:
        """Where new projects go."""
        return self.roots[0]

    @property
    def jobs(self) -> Jobs:
        """What was started from here."""
        return Jobs(self.home / HIDDEN / "jobs")

    def holds(self, path: str | Path) -> bool:
        """Whether a path, with all links resolved, is one of the folders or below it, and not hidden.

        Args:
            path: It need not be there.

        Returns:
            True if so.
        """
        try:
            return self._may(Path(path).resolve())
        except (OSError, ValueError, RuntimeError):
            return False

    def resolve(self, path: str | Path) -> Path:
        """A path that somebody gave, made absolute.

        Args:
            path: Absolute, or relative to the first folder.

        Returns:
            The path, with all links resolved.

        Raises:
            InputError: It is not below the folders, in a hidden folder of theirs, or is no path at all.
        """
        text = str(path)
        try:
            # Once: what a link leads to may be another place the next time.
            found = (self.home / Path(text).expanduser()).resolve() if text.isprintable() and text.strip() else None
        except (OSError, ValueError, RuntimeError):
            found = None
        if found is None or not self._may(found):
            named = ", ".join(str(root) for root in self.roots)
            raise InputError(f"{text[:200]!r}: not in the folders that this app was started for ({named})")
        return found

    def existing(self, path: str | Path, kind: str = "file") -> Path:
        """A path that must be there.

        Args:
            path: As for :meth:`resolve`.
            kind: ``file`` or ``folder``.

        Returns:
            The path.

        Raises:
            InputError: It is not below the folders, or not there.
        """
        found = self.resolve(path)
        try:
            there = found.is_file() if kind == "file" else found.is_dir()
        except OSError:
            # A name that is too long, or a folder that may not be looked into.
            there = False
        if not there:
            raise InputError(f"{str(found)[:1000]}: no such {kind}")
        return found

    def open(self, path: str | Path) -> BinaryIO:
        """Open a file to read it: no link that takes the place of a folder meanwhile leads outside.

        Args:
            path: As for :meth:`resolve`.

        Returns:
            The file.

        Raises:
            InputError: It is not below the folders, not there, no file, or may not be read.
        """
        found = self.existing(path)
        try:
            # A pipe would let us wait for ever.
            at = _opened(found.name, _READ | os.O_NONBLOCK, self._entered(found.parent))
            if not stat.S_ISREG(os.fstat(at).st_mode):
                os.close(at)
                raise InputError(f"{found}: no such file")
        except OSError as error:
            raise InputError(f"{found}: cannot be read ({error.strerror})") from error
        return os.fdopen(at, "rb")

    def enter(self, path: str | Path) -> int:
        """Open a folder to write into it, made when missing: whatever takes its place afterwards, files go there.

        Args:
            path: As for :meth:`resolve`.

        Returns:
            A descriptor of the folder, for the ``dir_fd`` of :mod:`os`; to be closed.

        Raises:
            InputError: It is not below the folders, no folder, or cannot be made.
        """
        found = self.resolve(path)
        try:
            return self._entered(found, make=True)
        except OSError as error:
            raise InputError(f"{found}: cannot be written ({error.strerror})") from error

    def name(self, path: Path) -> str:
        """A path as people should read it, and as :meth:`resolve` takes it.

        Args:
            path: Below the folders.

        Returns:
            Relative to the first folder where it is below that, or else absolute.
        """
        return path.relative_to(self.home).as_posix() if self.home in path.parents else str(path)

    def files(self, suffixes: Sequence[str], folder: Path | None = None, limit: int = 2000) -> Iterator[Path]:
        """Files below a folder, without those in hidden folders.

        Args:
            suffixes: In lower case, with the dot.
            folder: By default all of the workspace.
            limit: At most so many.

        Yields:
            Their paths, sorted folder by folder.
        """
        count = 0
        for root in self.roots if folder is None else (folder,):
            for path in _walked(root):
                if path.suffix.lower() in suffixes and self.holds(path):
                    yield path
                    count += 1
                    if count >= limit:
                        return

    def _entered(self, resolved: Path, *, make: bool = False) -> int:
        """A folder below the folders, opened step by step: a link that has come to lie on the way is not followed."""
        root = next(root for root in self.roots if resolved.is_relative_to(root))
        at = os.open(root, _READ | os.O_DIRECTORY)
        for name in resolved.relative_to(root).parts:
            at = _opened(name, _READ | os.O_DIRECTORY, at, make=make)
        return at

    def _may(self, resolved: Path) -> bool:
        below = (resolved.relative_to(root).parts for root in self.roots if resolved.is_relative_to(root))
        return any(not any(part.startswith(".") for part in parts) for parts in below)


def _opened(name: str, flags: int, folder: int, *, make: bool = False) -> int:
    """A file or folder of an open folder, which is closed."""
    try:
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _walked(folder: Path) -> Iterator[Path]:
    """All files below a folder; links to folders are not followed."""
    ahead = [folder]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as entries:
                found = sorted((each for each in entries if not each.name.startswith(".")), key=lambda each: each.name)
        except OSError:
            continue
        yield from (Path(each.path) for each in found if _is_file(each))
        ahead += [Path(each.path) for each in reversed(found) if each.is_dir(follow_symlinks=False)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def folders_below(folder: Path, depth: int, skipped: Collection[str]) -> Iterator[Path]:
    """The folders below one, outer ones first; links, hidden ones, and what cannot be read are left out.

    Args:
        folder: Where to begin; it is not among them.
        depth: How many levels lie between it and the innermost.
        skipped: Names of folders that are not looked into.

    Yields:
        The folders.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return
    for path in inside:
        if path.name.startswith(".") or path.name in skipped:
            continue
        yield path
        if depth:
            yield from folders_below(path, depth - 1, skipped)
