"""New tasks with their images; what a broken attempt has left is completed, and nothing is made twice."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitruve.annotation.cvat.diff import same_image
from vitruve.annotation.cvat.images import relative_name
from vitruve.annotation.cvat.payloads import label_json
from vitruve.annotation.cvat.reader import CvatReader
from vitruve.errors import InputError, ServerError
from vitruve.structures.annotation import AnnotationTask, TaskFrame

_QUALITY = 95
# How many times the limit of one request is waited for a server to come on with what it does in the background.
_PATIENCE = 10


def make_task(server: CvatReader, task: AnnotationTask, images: Path | Sequence[Path] | None) -> int:
    """Make a task with its images, or complete one that was begun.

    Args:
        server: Where.
        task: Its name, labels and frames.
        images: The folder that names of frames begin at, or the files to upload, which may be one video; None where the
            frames are files on the server's share.

    Returns:
        The number of the task; of one that was there with these images, too.

    Raises:
        InputError: A file is missing, two have one name, or a task of this name has other images or labels.
        ServerError: The server failed.
    """
    if not task.labels:
        raise InputError(f"task {task.name}: has no label; give at least one")
    names, files = _resources(task, images)
    number = begun(server, task, images)
    if number is None:
        spec: dict[str, Any] = {"name": task.name, "labels": [label_json(label) for label in task.labels]}
        if task.subset:
            spec["subset"] = task.subset
        server.wire.certain(
            lambda: server.wire.ask("POST", "/api/tasks", body=spec), lambda: bool(server.tasks(name=task.name))
        )
        number = server.tasks(name=task.name)[-1].id
    if not server.find(number).size:
        with tempfile.TemporaryDirectory() as folder:
            _upload(server, number, names, files, Path(folder))
    return number


def _resources(task: AnnotationTask, images: Path | Sequence[Path] | None) -> tuple[list[str], list[Path] | None]:
    """Names of the images on the server, and their files here; one name and file for a video."""
    names = list(dict.fromkeys(frame.name for frame in task.frames))
    if images is None:
        if not names:
            raise InputError(f"task {task.name}: names no file of the server's share")
        return names, None
    if isinstance(images, Path):
        files = [images / name for name in names]
    else:
        files = list(images)
        names = names if len(names) == len(files) else [file.name for file in files]
    if not files:
        raise InputError(f"task {task.name}: no images; give files or a folder")
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(f"task {task.name}: {len(missing)} of {len(files)} images are missing (first: {missing[0]})")
    names = [relative_name(name, task.name) for name in names]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"task {task.name}: two images are named {twice}; put them into folders of one folder")
    return names, files


def begun(server: CvatReader, task: AnnotationTask, images: Path | Sequence[Path] | None) -> int | None:
    """The task of this name, if there is one that is the same or has no images yet.

    Args:
        server: Where.
        task: As for :func:`make_task`.
        images: As for :func:`make_task`.

    Returns:
        Its number, or None.

    Raises:
        InputError: A file is missing, or a task of this name has other images or labels.
        ServerError: The server failed.
    """
    names, _ = _resources(task, images)
    found = server.tasks(name=task.name)
    for info in found:
        if info.size and _has(server, info.id, task, names):
            return info.id
    empty = [info for info in found if not info.size]
    if found and not empty:
        numbers = ", ".join(str(info.id) for info in found)
        raise InputError(
            f"{server.url}: a task named '{task.name}' is there already (number {numbers}) with other images or "
            "labels; choose another name, or push to that one by its number"
        )
    return empty[0].id if empty else None


def _has(server: CvatReader, number: int, task: AnnotationTask, names: Sequence[str]) -> bool:
    frames = server.frames(number)
    there = list(dict.fromkeys(frame.name for frame in frames))
    if len(there) != len(names):
        return False
    pairs = zip(sorted(there), sorted(names), strict=True)
    known = {label.name for label in server.labels(number)}
    return all(same_image(TaskFrame(a, 0, 0), TaskFrame(b, 0, 0)) for a, b in pairs) and known >= {
        label.name for label in task.labels
    }


def _upload(server: CvatReader, number: int, names: list[str], files: list[Path] | None, folder: Path) -> None:
    from cvat_sdk.core.proxies.tasks import ResourceType

    params: dict[str, Any] = {"image_quality": _QUALITY, "use_cache": True, "use_zip_chunks": True}
    if files is None:
        kind, resources = ResourceType.SHARE, [Path(name) for name in names]
        params |= {"copy_data": False, "sorting_method": "predefined"}
    else:
        kind, resources = ResourceType.LOCAL, files
        if len(files) == 1 or [file.name for file in files] == names:
            params["sorting_method"] = "predefined" if len(files) > 1 else "lexicographical"
        else:
            # Files alone lose their folders on the way; in an archive they keep them.
            resources = [_archive(names, files, folder)]
            params["sorting_method"] = "lexicographical"

    def work() -> None:
        with server.wire.explained(f"images of task {number}"):
            task = server.wire.client.tasks.retrieve(number)
            task.upload_data(resources, resource_type=kind, params=params, wait_for_completion=False)

    if not _taken_in(server, number):
        server.wire.certain(work, lambda: _taken_in(server, number))
    if not _taken_in(server, number):
        said = [request["message"] for request in _requests(server, number) if request["status"] == "failed"]
        reason = " ".join(said[-1].split()) if said else "none after the upload"
        raise ServerError(f"{server.url}: images of task {number}: {reason}; mend it and run the same command again")


def _taken_in(server: CvatReader, number: int) -> bool:
    """Wait for images that the server is taking in, and say whether they are there."""
    seen, since = None, time.monotonic()
    while True:
        open_ones = [r for r in _requests(server, number) if r["status"] in ("queued", "started")]
        if not open_ones:
            return bool(server.find(number).size)
        state = [(request["id"], request["status"], request.get("progress")) for request in open_ones]
        if state != seen:
            seen, since = state, time.monotonic()
        if time.monotonic() - since > _PATIENCE * server.wire.timeout:
            raise ServerError(
                f"{server.url}: task {number}: the server does not come on with its images ({open_ones[0]['status']}); "
                "run the same command again later: it goes on from there"
            )
        server.wire.wait(1)


def _requests(server: CvatReader, number: int) -> list[dict[str, Any]]:
    """The attempts to give a task its images, the oldest first."""
    with server.wire.explained(f"images of task {number}"):
        found = list(server.wire.pages("/api/requests", {"task_id": number}))
        own = [request for request in found if request["operation"]["type"] == "create:task"]
        return sorted(own, key=lambda request: request["created_date"])


def _archive(names: Sequence[str], files: Sequence[Path], folder: Path) -> Path:
    place = folder / "images.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for name, file in zip(names, files, strict=True):
            archive.write(file, name)
    return place
