"""One verb of the command line as a process: what it is, how it stands, what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from vitruve.atomic import atomic_json
from vitruve.errors import RunError
from vitruve.jobs.progress import Progress
from vitruve.run import process_runs, read_json

QUEUED, RUNNING, DONE, STOPPED, FAILED, LOST = "queued", "running", "done", "stopped", "failed", "lost"
STATES = (QUEUED, RUNNING, DONE, STOPPED, FAILED, LOST)
"""It waits for its turn; runs; ended well; was stopped; ended with an error; or its process is gone without a word, as
after a restart of the machine."""
ACTIVE = (QUEUED, RUNNING)
"""States in which a job still does something."""

STOPPED_CODES = (130, 143, -2, -15)
"""How a process ends that was asked to stop."""

_FORMAT = 1
_TAIL = 64_000
_WARNING = "warning: "
# What moves the cursor or colours text on a terminal.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Job:
    """A verb with its arguments, in a folder of its own.

    Attributes:
        path: The job's folder.
        arguments: Verb and arguments, as after ``vitruve`` on the command line.
        folder: The working directory.
        title: For people.
        about: What the job is about, such as ``project`` and ``run``; plain text.
        created: When it was handed in, in seconds since 1970.
        waits: Whether it waits until those handed in before it have ended.
    """

    path: Path
    arguments: tuple[str, ...]
    folder: Path
    title: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    created: float = 0.0
    waits: bool = True

    @property
    def id(self) -> str:
        """Its name; later ones come later in the alphabet."""
        return self.path.name

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.path / "log.txt"

    @property
    def stop_mark(self) -> Path:
        """Is there once the job is to end."""
        return self.path / "stop"

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        end = self.read("end")
        if end is not None:
            code = end.get("code")
            if code == 0:
                return DONE
            return STOPPED if code in STOPPED_CODES or (code is None and self.stop_mark.exists()) else FAILED
        runner = self.read("runner")
        if runner is None or not process_runs(int(self._number("runner", "pid")), self._number("runner", "started")):
            # The end is written before the process is gone: look again.
            return LOST if self.read("end") is None else self.state
        return RUNNING if self.read("process") is not None else QUEUED

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ACTIVE

    @property
    def started(self) -> float | None:
        """When it began to work, in seconds since 1970; None before."""
        return None if self.read("process") is None else self._number("process", "time")

    @property
    def ended(self) -> float | None:
        """When it ended, in seconds since 1970; None before."""
        return None if self.read("end") is None else self._number("end", "time")

    @property
    def progress(self) -> Progress | None:
        """How far its current step is; None before the first one, and of verbs that do not say it."""
        record = self.read("progress")
        return None if record is None else Progress.of(record)

    def said(self, lines: int = 200) -> list[str]:
        """The last lines of its log, as a terminal would show them at the end.

        Args:
            lines: At most so many.

        Returns:
            The lines; what a progress bar has overwritten is left out.
        """
        return self._shown(_TAIL)[-lines:] if self.log.is_file() else []

    def warned(self) -> list[str]:
        """What it has warned of at the beginning of its log and lately, as far as that is one line each."""
        if not self.log.is_file():
            return []
        size = self.log.stat().st_size
        lines = self._shown(size, _TAIL) + (self._shown(min(size - _TAIL, _TAIL)) if size > _TAIL else [])
        return [line.removeprefix(_WARNING) for line in lines if line.startswith(_WARNING)]

    def _shown(self, before_end: int, most: int = -1) -> list[str]:
        """Lines of the log from so many bytes before its end on, at most so many bytes."""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - before_end))
            text = _CONTROL.sub("", stream.read(most).decode(errors="replace"))
        shown = (line.rstrip().rpartition("\r")[2] for line in text.split("\n"))
        return [line for line in shown if line]

    @property
    def message(self) -> str:
        """Why it failed, in one line; empty unless it did."""
        if self.state == LOST:
            return "its process is gone: it was killed, or the machine was restarted"
        if self.state != FAILED:
            return ""
        said = self.said()
        errors = [line for line in said if line.startswith("error: ")]
        return (errors or said or [f"no word; exit code {(self.read('end') or {}).get('code')}"])[-1]

    def read(self, name: str) -> dict[str, Any] | None:
        """One of the files of the job's folder.

        Args:
            name: ``job``, ``runner``, ``process``, ``progress`` or ``end``.

        Returns:
            Its content; None where there is none.
        """
        file = self.path / f"{name}.json"
        return read_json(file) if file.is_file() else None

    def _number(self, name: str, key: str) -> float:
        """A number in one of the files of the job's folder."""
        try:
            return float((self.read(name) or {})[key])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.path / f'{name}.json'}: no {key} in it ({error!r}); remove the folder") from error

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write one of the files of the job's folder.

        Args:
            name: As for :meth:`read`.
            content: Plain values.
        """
        atomic_json(self.path / f"{name}.json", dict(content))

    def save(self) -> None:
        """Write what the job is."""
        given = asdict(self) | {"folder": str(self.folder), "about": dict(self.about), "format": _FORMAT}
        self.write("job", {name: value for name, value in given.items() if name != "path"})

    @classmethod
    def load(cls, path: Path) -> Job:
        """Read a job.

        Args:
            path: Its folder.

        Returns:
            The job.

        Raises:
            RunError: There is none, or its file is damaged.
        """
        record = read_json(path / "job.json")
        try:
            if int(record["format"]) > _FORMAT:
                raise RunError(f"{path}: a job of a newer program; update Vitruve")
            known = {item.name for item in fields(cls)} - {"path", "arguments", "folder"}
            more = {name: value for name, value in record.items() if name in known}
            return cls(path, tuple(map(str, record["arguments"])), Path(record["folder"]), **more)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path / 'job.json'}: not a job ({error!r}); remove the folder") from error
