"""A CVAT server: its tasks read and changed, without loss and safe to do twice.

::

    server = CvatServer.connect("https://cvat.example.org")       # token from CVAT_ACCESS_TOKEN
    for info in server.tasks(status="completed"):                 # TaskInfo: id, name, status, updated, size, ...
        task = server.read(info.id)                               # AnnotationTask with all that is drawn
    server.change(info.id, add=shapes, update=[...], remove=[...])
    server.set_status(info.id, "completed")
    made = server.create(task, images=Path("folder"))             # number of the new task

Everything raises :class:`~vitruve.errors.ServerError` or ``InputError`` in one line. Nothing is deleted that is not
named in ``remove``. Requests that failed are tried again, and a change whose answer was lost is looked for first, so
that nothing is drawn twice. Who needs a preview compares with :mod:`vitruve.annotation.cvat.diff` before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vitruve.annotation.cvat.access import Access, server_url
from vitruve.annotation.cvat.diff import difference, unmatched, without_numbers
from vitruve.annotation.cvat.payloads import Numbering
from vitruve.annotation.cvat.reader import CvatReader
from vitruve.annotation.cvat.reader import TaskInfo as TaskInfo
from vitruve.annotation.cvat.upload import make_task
from vitruve.annotation.cvat.wire import Wire
from vitruve.errors import InputError, nearest
from vitruve.structures.annotation import AnnotationTask, Shape, Track

STATUSES = {
    "annotation": {"stage": "annotation", "state": "new"},
    "validation": {"stage": "validation", "state": "new"},
    "completed": {"stage": "acceptance", "state": "completed"},
}
"""The states that a task may be brought to, and what its jobs must be for that: a task's own is derived from them."""

_FAMILIES = ("tags", "shapes", "tracks")
_AT_ONCE = 500


class CvatServer(CvatReader):
    """A CVAT server. Made by :meth:`connect`; what it only reads stands in :class:`CvatReader`."""

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        token: str | None = None,
        *,
        access: Access | None = None,
        organization: str | None = None,
        timeout: float = 60.0,
        attempts: int = 5,
        pause: float = 0.5,
    ) -> CvatServer:
        """Connect to a server.

        Args:
            url: Its address; by default that in ``VITRUVE_CVAT_URL``.
            token: A personal access token; by default that of the environment, see :class:`Access`.
            access: In place of a token.
            organization: Short name of the organisation whose tasks are meant, or None.
            timeout: Seconds until an answer, for each request.
            attempts: How often a request is tried.
            pause: Seconds before the second attempt; each further one is twice as long.

        Returns:
            The server.

        Raises:
            InputError: There is no address or no access.
            ServerError: It cannot be reached or lets us not in.
        """
        place = server_url(url)
        return cls(Wire(place, access or Access.find(token), organization, timeout, attempts, pause))

    def create(self, task: AnnotationTask, images: Path | Sequence[Path] | None = None) -> int:
        """Make a task with images and all that is drawn; what a broken attempt has left is completed.

        Args:
            task: Its name, labels, frames and shapes. Without frames, the files are the images in their order.
            images: The folder that names of frames begin at, or the files to upload, which may be one video; None where
                the frames are files on the server's share.

        Returns:
            Its number. A task of this name that has these images already is taken as it is, and gets the shapes that
            it lacks as long as nobody has begun to work on it.

        Raises:
            InputError: A file is missing, or a task of this name has other images.
            ServerError: The server failed.
        """
        before = {info.id for info in self.tasks(name=task.name) if info.size}
        number = make_task(self, task, images)
        if (task.shapes or task.tracks) and (number not in before or self._untouched(number)):
            self.change(number, add=difference(self.read(number), without_numbers(task)).add)
        return number

    def _untouched(self, task_id: int) -> bool:
        """Whether nobody has begun to work on a task: what people took out of it must not come back."""
        jobs = self.wire.pages("/api/jobs", {"task_id": task_id})
        return all((job["stage"], job["state"]) == ("annotation", "new") for job in jobs)

    def change(
        self,
        task_id: int,
        add: Sequence[Shape | Track] = (),
        update: Sequence[Shape | Track] = (),
        remove: Sequence[Shape | Track] = (),
    ) -> None:
        """Change what is drawn in a task.

        Args:
            task_id: Its number.
            add: What is new; frames are indices of the task.
            update: What takes the place of that with its ``id``.
            remove: What is taken away, by its ``id``. A server numbers what is updated anew: read it again after.

        Raises:
            InputError: The task has no such label or attribute, or something to update or remove has no ``id``.
            ServerError: The server failed; what was changed before stays, and doing the same again does the rest.
        """
        for item in (*update, *remove):
            if item.id is None:
                raise InputError(f"task {task_id}: a shape of {item.label} has no id; read the task before changing it")
        if not (add or update or remove):
            return
        numbering = Numbering(f"{self.url}: task {task_id}", self.raw_labels(task_id))
        groups = ((remove, "delete"), (update, "update"), (add, "create"))
        plan = [(action, part) for items, action in groups for part in _parts(items)]
        # All is put into words before anything is sent: a label that is missing must not leave half of a change.
        for action, part in plan:
            _body(numbering, part, action)
        known = set(self._drawn(task_id, numbering))
        for action, part in plan:
            self._apply(task_id, numbering, action, part, known)

    def _apply(
        self,
        task_id: int,
        numbering: Numbering,
        action: str,
        items: Sequence[Shape | Track],
        known: set[tuple[str, int]],
    ) -> None:
        """Send one change; where the answer is lost, look what of it was done and send the rest."""
        left = list(items)

        def work() -> None:
            body = _body(numbering, left, action)
            made = self.wire.ask("PATCH", f"/api/tasks/{task_id}/annotations/", {"action": action}, body)
            known.update((family, item["id"]) for family in _FAMILIES for item in made.get(family) or ())

        def done() -> bool:
            now = self._drawn(task_id, numbering)
            if action == "create":
                fresh = [item for key, item in now.items() if key not in known]
                left[:] = unmatched(left, fresh)[0]
            else:
                left[:] = [item for item in left if (_family(item), item.id) in now]
            known.update(now)
            return not left

        self.wire.certain(work, done)

    def _drawn(self, task_id: int, numbering: Numbering) -> dict[tuple[str, int], Shape | Track]:
        """All that is drawn, by kind and number."""
        found = self.wire.ask("GET", f"/api/tasks/{task_id}/annotations/")
        read: dict[str, Callable[[dict[str, Any]], Shape | Track]]
        read = {"tags": numbering.tag, "shapes": numbering.shape, "tracks": numbering.track}
        return {(family, item["id"]): read[family](item) for family in _FAMILIES for item in found.get(family) or ()}

    def set_status(self, task_id: int, status: str) -> int:
        """Bring a task to a status, by its jobs.

        Args:
            task_id: Its number.
            status: One of :data:`STATUSES`.

        Returns:
            How many jobs were changed; none where it has the status already.

        Raises:
            InputError: There is no such status, or the task has no job because it has no images.
            ServerError: The server failed.
        """
        if status not in STATUSES:
            raise InputError(f"no status '{status}'{nearest(status, STATUSES)}; known are {', '.join(STATUSES)}")
        with self.wire.explained(f"task {task_id}"):
            jobs = [job for job in self.wire.pages("/api/jobs", {"task_id": task_id}) if job["type"] == "annotation"]
        if not jobs:
            raise InputError(f"{self.url}: task {task_id} has no job, because it has no images")
        changed = [job for job in jobs if _job_status(job) != status]
        for job in changed:
            self._bring(f"/api/jobs/{job['id']}", status)
        return len(changed)

    def _bring(self, job: str, status: str) -> None:
        self.wire.certain(
            lambda: self.wire.ask("PATCH", job, body=STATUSES[status]),
            lambda: _job_status(self.wire.ask("GET", job)) == status,
        )


def _job_status(job: dict[str, Any]) -> str:
    if job["stage"] == "annotation":
        return "annotation"
    return "completed" if (job["stage"], job["state"]) == ("acceptance", "completed") else "validation"


def _family(item: Shape | Track) -> str:
    """Under which key a server keeps it."""
    return "tracks" if isinstance(item, Track) else "tags" if item.kind == "tag" else "shapes"


def _parts(items: Sequence[Shape | Track]) -> Iterator[Sequence[Shape | Track]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _body(numbering: Numbering, items: Sequence[Shape | Track], action: str) -> dict[str, Any]:
    body: dict[str, Any] = {"version": 0, "tags": [], "shapes": [], "tracks": []}
    keep = action != "create"
    for item in items:
        if isinstance(item, Track):
            body["tracks"].append(numbering.track_json(item, keep_id=keep))
        else:
            body[_family(item)].append(numbering.shape_json(item, keep_id=keep))
    return body
