"""What the stand-in for a CVAT server holds: tasks, labels, images, annotations, jobs, and how they change."""

from __future__ import annotations

import io
import itertools
import random
import re
import zipfile
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

EMPTY = {"version": 0, "tags": [], "shapes": [], "tracks": [], "intervals": []}
_KINDS = ("tags", "shapes", "tracks")
CHUNK = 4


class Refused(Exception):
    """A request that a server refuses.

    Args:
        status: Of the response.
        detail: What it says.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass
class Task:
    """One task, with all that belongs to it."""

    id: int
    name: str
    subset: str
    created: str
    updated: str
    labels: list[dict[str, Any]]
    job: dict[str, str] = field(default_factory=lambda: {"stage": "annotation", "state": "new"})
    frames: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, bytes | Path] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    annotations: dict[str, Any] = field(default_factory=lambda: deepcopy(EMPTY))
    video: bool = False
    frame_filter: str = ""

    @property
    def status(self) -> str:
        """As CVAT derives it from the jobs."""
        if self.job["stage"] == "annotation":
            return "annotation"
        return "completed" if (self.job["stage"], self.job["state"]) == ("acceptance", "completed") else "validation"


class State:
    """All that a server remembers.

    Args:
        share: The folder that it sees as its share, or None.
    """

    def __init__(self, share: Path | None) -> None:
        self.share = share
        self.tasks: dict[int, Task] = {}
        self.requests: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._clock = itertools.count(1)
        self._random = random.Random(0)

    def number(self) -> int:
        """A number that nothing else has."""
        return next(self._numbers)

    def now(self) -> str:
        """A time that is later than all before."""
        tick = next(self._clock)
        return f"2026-03-01T{tick // 3600:02d}:{tick // 60 % 60:02d}:{tick % 60:02d}.000000Z"

    def task(self, number: int) -> Task:
        """A task by its number."""
        if number not in self.tasks:
            raise Refused(404, "Not found.")
        return self.tasks[number]

    def create(self, spec: dict[str, Any]) -> Task:
        """A task without images."""
        labels = [self._label(item) for item in spec.get("labels", [])]
        names = [label["name"] for label in labels]
        if len(set(names)) < len(names):
            raise Refused(400, "All label names must be unique for the task")
        time = self.now()
        task = Task(self.number(), spec["name"], spec.get("subset", ""), time, time, labels)
        self.tasks[task.id] = task
        return task

    def _label(self, spec: dict[str, Any]) -> dict[str, Any]:
        label = {
            "id": self.number(),
            "name": spec["name"],
            "color": spec.get("color") or f"#{self._random.randrange(1 << 24):06x}",
            "type": spec.get("type", "any"),
            "attributes": [{"default_value": "", **a, "id": self.number()} for a in spec.get("attributes", [])],
            "sublabels": [{**self._label(item), "has_parent": True} for item in spec.get("sublabels", [])],
            "has_parent": False,
            "parent_id": None,
        }
        if label["type"] == "skeleton":
            if not spec.get("svg") or not label["sublabels"]:
                raise Refused(400, f"Skeleton {spec['name']} must have an svg and sublabels")
            numbers = {item["name"]: item["id"] for item in label["sublabels"]}
            drawn = re.findall(r'data-label-name="([^"]*)"', spec["svg"])
            if sorted(drawn) != sorted(numbers):
                raise Refused(400, f"Skeleton {spec['name']}: the svg and the sublabels name different points")
            label["svg"] = re.sub(
                r'data-label-name="([^"]*)"', lambda match: f'data-label-id="{numbers[match[1]]}"', spec["svg"]
            )
        return label

    def add_images(self, task: Task, pictures: dict[str, bytes | Path]) -> None:
        """Give a task its images, in this order; a zip is unpacked."""
        if task.frames:
            raise Refused(400, "The task has data already")
        for name, content in unpacked(pictures):
            try:
                picture = Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)
            except (OSError, ValueError):
                raise Refused(400, f"Can't read image {name}") from None
            width, height = picture.size
            task.frames.append({"name": name, "width": width, "height": height, "related_files": 0})
            task.pictures[name] = content
        task.updated = self.now()

    def add_shared(self, task: Task, names: Sequence[str]) -> None:
        """Give a task images of the share."""
        gone = [name for name in names if self.share is None or not (self.share / name).is_file()]
        if gone:
            raise Refused(400, f"No such file on the share: {gone[0]}")
        self.add_images(task, {name: self.share / name for name in names})  # type: ignore[operator]

    def picture(self, task: Task, number: int) -> bytes:
        """The file of a frame."""
        if not 0 <= number < len(task.frames):
            raise Refused(404, f"Frame {number} is not in the task")
        content = task.pictures[task.frames[number]["name"]]
        if isinstance(content, bytes):
            return content
        if not content.is_file():
            raise Refused(404, f"The image of frame {number} is missing on the server")
        return content.read_bytes()

    def chunk(self, task: Task, number: int) -> bytes:
        """Several frames as a zip."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for place in range(CHUNK * number, min(len(task.frames), CHUNK * (number + 1))):
                suffix = Path(task.frames[place]["name"]).suffix
                archive.writestr(f"{place - CHUNK * number:06d}{suffix}", self.picture(task, place))
        return buffer.getvalue()

    def shown(self, task: Task) -> dict[str, Any]:
        """The annotations, elements of skeletons in any order, as CVAT gives them."""
        result = deepcopy(task.annotations)
        for kind in ("shapes", "tracks"):
            for item in result[kind]:
                self._random.shuffle(item.get("elements", []))
        return result

    def change(self, task: Task, action: str, data: dict[str, Any]) -> dict[str, Any]:
        """Create, update or delete annotations; like CVAT's, an update deletes and creates, so that numbers change."""
        named = {kind: {item.get("id") for item in data.get(kind, [])} for kind in _KINDS}
        fresh = {kind: [self._filled(task, kind, item) for item in data.get(kind, [])] for kind in _KINDS}
        if action in ("update", "delete"):
            for kind in _KINDS:
                kept = [item for item in task.annotations[kind] if item["id"] not in named[kind]]
                task.annotations[kind] = kept
        if action in ("create", "update"):
            for kind in _KINDS:
                task.annotations[kind] += fresh[kind]
        task.updated = self.now()
        return {**EMPTY, **(fresh if action != "delete" else {})}

    def replace(self, task: Task, data: dict[str, Any]) -> None:
        """Put these annotations in the place of all there are."""
        fresh = {kind: [self._filled(task, kind, item) for item in data.get(kind, [])] for kind in _KINDS}
        task.annotations = {**deepcopy(EMPTY), **fresh}
        task.updated = self.now()

    def _filled(self, task: Task, kind: str, item: dict[str, Any], part_of: dict[str, Any] | None = None) -> Any:
        labels = task.labels if part_of is None else part_of["sublabels"]
        label = next((one for one in labels if one["id"] == item["label_id"]), None)
        if label is None:
            raise Refused(400, f"label_id `{item['label_id']}` is invalid")
        if not 0 <= item["frame"] < len(task.frames):
            raise Refused(400, f"frame {item['frame']} is not in the task")
        common = {"label_id": item["label_id"], "frame": item["frame"], "group": item.get("group") or 0}
        common |= {"source": item.get("source", "manual"), "id": self.number()}
        common["attributes"] = self._attributes(label, item)
        if kind == "tags":
            return common
        if kind == "shapes":
            common |= self._placed(item) | {"score": item.get("score", 1.0)}
        else:
            common["shapes"] = [
                {"id": self.number(), "frame": one["frame"], **self._placed(one)}
                | {"attributes": self._attributes(label, one)}
                for one in item["shapes"]
            ]
        if part_of is None:
            common["elements"] = [self._filled(task, kind, one, label) for one in item.get("elements", [])]
        return common

    def _placed(self, item: dict[str, Any]) -> dict[str, Any]:
        if item["type"] == "skeleton" and item.get("points"):
            raise Refused(400, "a skeleton has no points of its own")
        usual = {"occluded": False, "outside": False, "z_order": 0, "rotation": 0.0, "points": []}
        return {"type": item["type"], **{key: item.get(key, value) for key, value in usual.items()}}

    def _attributes(self, label: dict[str, Any], item: dict[str, Any]) -> list[dict[str, Any]]:
        known = {spec["id"] for spec in label["attributes"]}
        for one in item.get("attributes", []):
            if one["spec_id"] not in known:
                raise Refused(400, f"spec_id `{one['spec_id']}` is invalid")
        given = [dict(one) for one in item.get("attributes", [])]
        # As CVAT does, what is not said takes the default; of tracks it is kept as it was sent.
        missing = known - {one["spec_id"] for one in given} if "shapes" not in item and "label_id" in item else set()
        usual = {spec["id"]: spec["default_value"] for spec in label["attributes"]}
        return given + [{"spec_id": number, "value": usual[number]} for number in sorted(missing)]


def unpacked(pictures: dict[str, bytes | Path]) -> Iterable[tuple[str, bytes | Path]]:
    """Names and contents of images, those of a zip in the order of their names."""
    for name, content in pictures.items():
        if not name.endswith(".zip"):
            yield name, content
            continue
        with zipfile.ZipFile(io.BytesIO(content) if isinstance(content, bytes) else content) as archive:
            for inner in sorted(archive.namelist()):
                yield inner, archive.read(inner)
