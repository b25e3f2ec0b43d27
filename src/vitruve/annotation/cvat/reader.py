"""What a CVAT server says of its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitruve.annotation.cvat.payloads import Numbering, read_frames, read_task
from vitruve.annotation.cvat.wire import Wire
from vitruve.errors import InputError, nearest
from vitruve.structures.annotation import AnnotationTask, LabelSpec, TaskFrame


@dataclass(frozen=True)
class TaskInfo:
    """A task without what is drawn.

    Attributes:
        id: Its number.
        name: Its name; there may be two of one name.
        status: ``annotation``, ``validation`` or ``completed``.
        updated: When it last changed, in ISO 8601.
        created: When it was made.
        subset: What it is used for, or empty.
        size: How many images it has.
    """

    id: int
    name: str
    status: str
    updated: str
    created: str
    subset: str
    size: int


class CvatReader:
    """The part of a server that changes nothing.

    Args:
        wire: The connection.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @property
    def url(self) -> str:
        """Its address."""
        return self.wire.url

    def tasks(self, status: str | None = None, name: str | None = None, pattern: str = "") -> list[TaskInfo]:
        """The tasks there are.

        Args:
            status: Those with this status only.
            name: Those of exactly this name only.
            pattern: Those whose name holds this only.

        Returns:
            The tasks, the oldest first.

        Raises:
            ServerError: The server failed.
        """
        query = {key: value for key, value in (("status", status), ("name", name)) if value is not None}
        with self.wire.explained("/api/tasks"):
            found = [_info(item) for item in self.wire.pages("/api/tasks", query)]
        # Between two pages a task may be made, which moves the others: each counts once.
        once = {info.id: info for info in found if name in (None, info.name) and status in (None, info.status)}
        return [once[number] for number in sorted(once) if pattern in once[number].name]

    def find(self, task: int | str) -> TaskInfo:
        """One task.

        Args:
            task: Its number or name.

        Returns:
            The task.

        Raises:
            InputError: There is none of that name, or several.
            ServerError: There is none of that number, or the server failed.
        """
        if isinstance(task, int) or task.isdigit():
            with self.wire.explained(f"task {task}"):
                return _info(self._raw(int(task)))
        found = self.tasks(name=task)
        if not found:
            known = [info.name for info in self.tasks()]
            raise InputError(f"{self.url}: no task named '{task}'{nearest(task, known)}; it has {len(known)} others")
        if len(found) > 1:
            numbers = ", ".join(str(info.id) for info in found)
            raise InputError(f"{self.url}: {len(found)} tasks are named '{task}': give the number, one of {numbers}")
        return found[0]

    def read(self, task_id: int) -> AnnotationTask:
        """A task with all that is drawn in it.

        Args:
            task_id: Its number.

        Returns:
            The task.

        Raises:
            InputError: It has no images: it was made, but the upload did not come to its end.
            ServerError: There is no such task, or the server failed.
        """
        with self.wire.explained(f"task {task_id}"):
            raw = self._raw(task_id)
            if not raw["size"]:
                raise InputError(
                    f"{self.url}: task {task_id} ({raw['name']}) has no images: its upload did not come to an end; "
                    "run create-task again, or delete it in CVAT"
                )
            drawn = self.wire.ask("GET", f"/api/tasks/{task_id}/annotations/")
            return read_task(raw, self.raw_labels(task_id), self._meta(task_id), drawn)

    def frames(self, task_id: int) -> tuple[TaskFrame, ...]:
        """The images of a task.

        Args:
            task_id: Its number.

        Returns:
            One entry a frame, in the task's order.
        """
        return read_frames(self._raw(task_id), self._meta(task_id))

    def labels(self, task_id: int) -> tuple[LabelSpec, ...]:
        """The labels of a task.

        Args:
            task_id: Its number.

        Returns:
            The labels.
        """
        return Numbering(f"{self.url}: task {task_id}", self.raw_labels(task_id)).labels

    def image(self, task_id: int, frame: int) -> bytes | None:
        """The file of one image as it was uploaded.

        Args:
            task_id: Number of the task.
            frame: Index of the image.

        Returns:
            Its content; None where the server has it no more.

        Raises:
            ServerError: The server failed.
        """
        query = {"type": "frame", "number": frame, "quality": "original"}
        return self.wire.content(f"/api/tasks/{task_id}/data/", query)

    def _raw(self, task_id: int) -> dict[str, Any]:
        return self.wire.ask("GET", f"/api/tasks/{task_id}")

    def raw_labels(self, task_id: int) -> list[dict[str, Any]]:
        """The labels of a task as the server lists them, without those that are parts of others.

        Args:
            task_id: Its number.

        Returns:
            One entry a label.
        """
        # The parts of skeletons are listed within them.
        found = self.wire.pages("/api/labels", {"task_id": task_id})
        return [label for label in found if not label.get("has_parent")]

    def _meta(self, task_id: int) -> dict[str, Any]:
        return self.wire.ask("GET", f"/api/tasks/{task_id}/data/meta")


def _info(item: dict[str, Any]) -> TaskInfo:
    return TaskInfo(
        int(item["id"]),
        item["name"],
        str(item.get("status") or "annotation"),
        item.get("updated_date") or "",
        item.get("created_date") or "",
        item.get("subset") or "",
        int(item.get("size") or 0),
    )
