"""What the web app may touch: the folders that were named when it was started, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitruve.errors import InputError
from vitruve.jobs import Jobs

HIDDEN = ".vitruve"
"""Folder for what the app itself keeps, in the first of its folders."""


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
        """Whether a path, with all links resolved, is one of the folders or below it.

        Args:
            path: It need not be there.

        Returns:
            True if so.
        """
        try:
            resolved = Path(path).resolve()
        except (OSError, ValueError, RuntimeError):
            return False
        return any(resolved == root or root in resolved.parents for root in self.roots)

    def resolve(self, path: str | Path) -> Path:
        """A path that somebody gave, made absolute.

        Args:
            path: Absolute, or relative to the first folder.

        Returns:
            The path, with all links resolved.

        Raises:
            InputError: It is not below the folders, or is no path at all.
        """
        text = str(path)
        given = Path(text).expanduser() if text.isprintable() and text.strip() else None
        if given is None or not self.holds(self.home / given):
            named = ", ".join(str(root) for root in self.roots)
            raise InputError(f"{text[:200]!r}: not in the folders that this app was started for ({named})")
        return (self.home / given).resolve()

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
        if not (found.is_file() if kind == "file" else found.is_dir()):
            raise InputError(f"{found}: no such {kind}")
        return found

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


def _walked(folder: Path) -> Iterator[Path]:
    """All files below a folder; links to folders are not followed."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from _walked(path)
        elif path.is_file():
            yield path
