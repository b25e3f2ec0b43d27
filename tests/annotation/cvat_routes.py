"""What the stand-in answers to each request."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from annotation import cvat_transfer
from annotation.cvat_state import CHUNK, Refused, Task

if TYPE_CHECKING:
    from annotation.cvat_standin import StandIn

Answer = tuple[int, Any, dict[str, str]]
_OPEN = ("/api/server/about", "/api/auth/login")


def allowed(standin: StandIn, path: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody may ask for this."""
    given = headers.get("Authorization", "")
    basic = base64.b64encode(f"{standin.user}:{standin.password}".encode()).decode()
    session = "sessionid=open" in headers.get("Cookie", "")
    return path in _OPEN or given in (f"Bearer {standin.token}", f"Basic {basic}") or session


def answer(
    standin: StandIn,
    method: str,
    path: str,
    query: dict[str, str],
    body: bytes,
    kind: str,
    headers: Mapping[str, str],
) -> Answer:
    """Status, content and headers of the answer to a request."""
    for pattern, methods, function in _ROUTES:
        match = re.fullmatch(pattern, path.rstrip("/"))
        if match and method in methods:
            asked = Asked(standin, method, match, query, body, kind, headers)
            return function(asked)
    raise Refused(404, f"{method} {path}: not found")


class Asked:
    """A request, and what it is about."""

    def __init__(
        self,
        standin: StandIn,
        method: str,
        match: re.Match[str],
        query: dict[str, str],
        body: bytes,
        kind: str,
        headers: Mapping[str, str],
    ) -> None:
        self.standin, self.state, self.method, self.match = standin, standin.state, method, match
        self.query, self.body, self.kind, self.headers = query, body, kind, headers

    @property
    def json(self) -> Any:
        """What was sent."""
        return json.loads(self.body or b"{}")

    @property
    def task(self) -> Task:
        """The task that the path names."""
        return self.state.task(int(self.match[1]))


def _about(asked: Asked) -> Answer:
    about = {"name": "CVAT", "description": "A stand-in", "version": "2.80.0", "logo_url": "", "subtitle": ""}
    return 200, about, {}


def _login(asked: Asked) -> Answer:
    given = asked.json
    if (given.get("username"), given.get("password")) != (asked.standin.user, asked.standin.password):
        raise Refused(400, "Unable to log in with provided credentials.")
    return 200, {"key": "a-key"}, {"Set-Cookie": "sessionid=open; Path=/, csrftoken=pass; Path=/"}


def _tasks(asked: Asked) -> Answer:
    if asked.method == "POST":
        return 201, shown_task(asked.standin, asked.state.create(asked.json)), {}
    query = asked.query
    found = [
        shown_task(asked.standin, task)
        for task in asked.state.tasks.values()
        if query.get("name") in (None, task.name)
        and query.get("status") in (None, task.status)
        and query.get("search", "") in task.name
    ]
    return 200, _page(asked, found[::-1]), {}


def _task(asked: Asked) -> Answer:
    if asked.method == "DELETE":
        del asked.state.tasks[asked.task.id]
        return 204, None, {}
    if asked.method == "PATCH":
        asked.task.name = asked.json.get("name", asked.task.name)
        asked.task.subset = asked.json.get("subset", asked.task.subset)
        asked.task.updated = asked.state.now()
    return 200, shown_task(asked.standin, asked.task), {}


def _labels(asked: Asked) -> Answer:
    task = asked.state.task(int(asked.query.get("task_id") or asked.query.get("job_id") or 0))
    return 200, _page(asked, task.labels), {}


def _meta(asked: Asked) -> Answer:
    task = asked.task
    if asked.method == "PATCH":
        task.deleted = asked.json.get("deleted_frames", task.deleted)
        task.updated = asked.state.now()
    meta = {
        "chunks_updated_date": task.created,
        "chunk_size": CHUNK,
        "size": len(task.frames),
        "image_quality": 70,
        "start_frame": 0,
        "stop_frame": max(0, len(task.frames) - 1),
        "frame_filter": task.frame_filter,
        "frames": task.frames[:1] if task.video else task.frames,
        "deleted_frames": task.deleted,
        "included_frames": None,
        "storage": "local",
        "cloud_storage_id": None,
        "chapters": None,
    }
    return 200, meta, {}


def _data(asked: Asked) -> Answer:
    if asked.method == "POST":
        return cvat_transfer.data(asked)
    number = int(asked.query.get("number", 0))
    if asked.query.get("type") == "chunk":
        return 200, asked.state.chunk(asked.task, number), {}
    return 200, asked.state.picture(asked.task, number), {}


def _annotations(asked: Asked) -> Answer:
    if asked.method == "POST":
        return cvat_transfer.annotations(asked)
    if asked.method == "PUT":
        asked.state.replace(asked.task, asked.json)
    elif asked.method == "PATCH":
        return 200, asked.state.change(asked.task, asked.query["action"], asked.json), {}
    elif asked.method == "DELETE":
        asked.state.replace(asked.task, {})
        return 204, None, {}
    return 200, asked.state.shown(asked.task), {}


def _jobs(asked: Asked) -> Answer:
    wanted = asked.query.get("task_id")
    tasks = [task for task in asked.state.tasks.values() if wanted in (None, str(task.id))]
    return 200, _page(asked, [shown_job(asked.standin, task) for task in tasks if task.frames]), {}


def _job(asked: Asked) -> Answer:
    task = asked.state.task(int(asked.match[1]) - JOBS)
    if asked.method == "PATCH":
        task.job |= {key: value for key, value in asked.json.items() if key in ("stage", "state")}
        if "stage" in asked.json and "state" not in asked.json:
            task.job["state"] = "new"
        task.updated = asked.state.now()
    return 200, shown_job(asked.standin, task), {}


def _requests(asked: Asked) -> Answer:
    wanted = asked.query.get("task_id")
    found = [r for r in asked.state.requests.values() if wanted in (None, str(r["operation"]["task_id"]))]
    return 200, _page(asked, [_as_yet(asked, request) for request in found]), {}


def _request(asked: Asked) -> Answer:
    if asked.match[1] not in asked.state.requests:
        raise Refused(404, "Not found.")
    return 200, _as_yet(asked, asked.state.requests[asked.match[1]]), {}


def _as_yet(asked: Asked, request: dict[str, Any]) -> dict[str, Any]:
    """A request as it stands: those of a busy server wait in a queue for some time."""
    if asked.standin.busy <= 0:
        return request
    asked.standin.busy -= 1
    return {**request, "status": "queued", "message": "", "finished_date": None, "progress": 0.0}


JOBS = 100_000
"""The job of a task has its number and this."""


def shown_task(standin: StandIn, task: Task) -> dict[str, Any]:
    """A task as CVAT describes it."""
    done = {"annotation": (0, 0), "validation": (0, 1), "completed": (1, 0)}[task.status]
    return {
        "url": f"{standin.url}/api/tasks/{task.id}",
        "id": task.id,
        "name": task.name,
        "project_id": None,
        "owner": {"id": 1, "username": "gardener", "first_name": "", "last_name": ""},
        "assignee": None,
        "bug_tracker": "",
        "created_date": task.created,
        "updated_date": task.updated,
        "overlap": None,
        "segment_size": 0,
        "status": task.status,
        "data_chunk_size": CHUNK,
        "data_original_chunk_type": "video" if task.video else "imageset",
        "data_compressed_chunk_type": "imageset",
        "data_cloud_storage_id": None,
        "guide_id": None,
        "size": len(task.frames),
        "image_quality": 70,
        "data": task.id if task.frames else None,
        "dimension": "2d",
        "mode": ("interpolation" if task.video else "annotation") if task.frames else "",
        "media_type": "image",
        "subset": task.subset,
        "organization": None,
        "organization_id": None,
        "target_storage": None,
        "source_storage": None,
        "jobs": {"count": 1, "completed": done[0], "validation": done[1], "url": f"{standin.url}/api/jobs"},
        "labels": {"url": f"{standin.url}/api/labels?task_id={task.id}"},
        "assignee_updated_date": None,
        "validation_mode": None,
        "consensus_enabled": False,
    }


def shown_job(standin: StandIn, task: Task) -> dict[str, Any]:
    """The job of a task as CVAT describes it."""
    return {
        "url": f"{standin.url}/api/jobs/{task.id + JOBS}",
        "id": task.id + JOBS,
        "task_id": task.id,
        "task_name": task.name,
        "project_id": None,
        "assignee": None,
        "guide_id": None,
        "dimension": "2d",
        "mode": "annotation",
        "media_type": "image",
        "bug_tracker": None,
        "status": task.status,
        **task.job,
        "frame_count": len(task.frames),
        "start_frame": 0,
        "stop_frame": max(0, len(task.frames) - 1),
        "data_chunk_size": CHUNK,
        "data_compressed_chunk_type": "imageset",
        "data_original_chunk_type": "imageset",
        "created_date": task.created,
        "updated_date": task.updated,
        "issues": {"url": f"{standin.url}/api/issues", "count": 0},
        "labels": {"url": f"{standin.url}/api/labels?job_id={task.id}"},
        "type": "annotation",
        "organization": None,
        "target_storage": None,
        "source_storage": None,
        "assignee_updated_date": None,
        "parent_job_id": None,
        "consensus_replicas": 0,
        "replicas_count": 0,
    }


def _page(asked: Asked, found: list[Any]) -> dict[str, Any]:
    size = int(asked.query.get("page_size") or asked.standin.page_size)
    page = int(asked.query.get("page", 1))
    last = max(1, math.ceil(len(found) / size))
    if not 1 <= page <= last:
        raise Refused(404, "Invalid page.")
    place = asked.standin.url + asked.match.string
    return {
        "count": len(found),
        "next": f"{place}?page={page + 1}" if page < last else None,
        "previous": f"{place}?page={page - 1}" if page > 1 else None,
        "results": found[size * (page - 1) : size * page],
    }


_ROUTES: list[tuple[str, tuple[str, ...], Callable[[Asked], Answer]]] = [
    (r"/api/server/about", ("GET",), _about),
    (r"/api/auth/login", ("POST",), _login),
    (r"/api/auth/logout", ("POST",), lambda asked: (200, {"detail": "Successfully logged out."}, {})),
    (r"/api/tasks", ("GET", "POST"), _tasks),
    (r"/api/tasks/(\d+)", ("GET", "PATCH", "DELETE"), _task),
    (r"/api/labels", ("GET",), _labels),
    (r"/api/tasks/(\d+)/data/meta", ("GET", "PATCH"), _meta),
    (r"/api/tasks/(\d+)/data", ("GET", "POST"), _data),
    (r"/api/tasks/(\d+)/annotations", ("GET", "POST", "PUT", "PATCH", "DELETE"), _annotations),
    (r"/api/tasks/(\d+)/(?:data|annotations)/(part-\d+)", ("PATCH", "HEAD"), cvat_transfer.part),
    (r"/api/tasks/(\d+)/dataset/export", ("POST",), cvat_transfer.export),
    (r"/api/tasks/(\d+)/dataset/download", ("GET",), cvat_transfer.download),
    (r"/api/jobs", ("GET",), _jobs),
    (r"/api/jobs/(\d+)", ("GET", "PATCH"), _job),
    (r"/api/requests", ("GET",), _requests),
    (r"/api/requests/(.+)", ("GET",), _request),
]
