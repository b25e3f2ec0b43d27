"""Uploads of images and annotations to the stand-in, and exports from it."""

from __future__ import annotations

import base64
import email
import email.policy
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from annotation import cvat_exports
from annotation.cvat_state import Refused

if TYPE_CHECKING:
    from annotation.cvat_routes import Answer, Asked


def data(asked: Asked) -> Answer:
    """Images of a task: from the share in one request, or uploaded in several."""
    state, task, parts = asked.state, asked.task, _waiting(asked)
    if "Upload-Start" in asked.headers:
        if task.frames:
            raise Refused(400, "The task has data already")
        parts.clear()
        return 202, b"", {}
    if "Upload-Length" in asked.headers:
        return _begin(asked)
    if "Upload-Multiple" in asked.headers:
        for name, (file, content) in _form(asked).items():
            if name.startswith("client_files"):
                parts[Path(file).name] = content
        return 200, b"", {}
    given = asked.json if asked.body[:1] == b"{" else {name: value for name, (_, value) in _form(asked).items()}
    names = given.get("server_files") or []
    rq = {"type": "create:task", "target": "task", "task_id": task.id}

    def work() -> None:
        if names:
            state.add_shared(task, names)
        else:
            order = given.get("upload_file_order") or sorted(parts)
            state.add_images(task, {name: parts[name] for name in order})

    return _background(asked, rq, work)


def annotations(asked: Asked) -> Answer:
    """Annotations from a file of CVAT's own XML."""
    parts = _waiting(asked)
    if "Upload-Start" in asked.headers:
        parts.clear()
        return 202, b"", {}
    if "Upload-Length" in asked.headers:
        return _begin(asked)
    if asked.query.get("format") != "CVAT 1.1":
        raise Refused(405, f"Unknown input format '{asked.query.get('format')}'")
    content = parts[asked.query["filename"]]
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read("annotations.xml")
    found = cvat_exports.read(asked.task, content)

    def work() -> None:
        if asked.query.get("import_mode") == "append":
            asked.state.change(asked.task, "create", found)
        else:
            asked.state.replace(asked.task, found)

    return _background(asked, {"type": "import:annotations", "target": "task", "task_id": asked.task.id}, work)


def export(asked: Asked) -> Answer:
    """Begin an export."""
    name = asked.query["format"]
    if name != "CVAT for images 1.1":
        raise Refused(405, f"Unknown format '{name}'")
    rq = {"type": "export:annotations", "target": "task", "task_id": asked.task.id, "format": name}
    url = f"{asked.standin.url}/api/tasks/{asked.task.id}/dataset/download"
    return _background(asked, rq, lambda: None, url)


def download(asked: Asked) -> Answer:
    """What was exported, as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("annotations.xml", cvat_exports.images_xml(asked.task))
    return 200, buffer.getvalue(), {"Content-Disposition": 'attachment; filename="export.zip"'}


def part(asked: Asked) -> Answer:
    """A further part of a file that is uploaded in several."""
    name, content = asked.standin.__dict__.setdefault("open_parts", {})[asked.match[2]]
    if asked.method == "PATCH":
        if int(asked.headers["Upload-Offset"]) != len(content):
            raise Refused(409, "Offset does not fit")
        content += asked.body
        _waiting(asked)[name] = bytes(content)
    status = 204 if asked.method == "PATCH" else 200
    return status, b"", {"Upload-Offset": str(len(content)), "Tus-Resumable": "1.0.0", "Upload-Filename": name}


def _begin(asked: Asked) -> Answer:
    pairs = dict(item.split(" ") for item in asked.headers["Upload-Metadata"].split(","))
    name = base64.b64decode(pairs["filename"]).decode()
    number = f"part-{asked.state.number()}"
    asked.standin.__dict__.setdefault("open_parts", {})[number] = (name, bytearray())
    place = f"{asked.standin.url}{asked.match.string}/{number}"
    return 201, b"", {"Location": place, "Upload-Filename": name, "Tus-Resumable": "1.0.0"}


def _waiting(asked: Asked) -> dict[str, bytes]:
    """Files that were uploaded to a task and are not yet taken in."""
    return asked.standin.__dict__.setdefault("waiting", {}).setdefault(asked.task.id, {})


def _form(asked: Asked) -> dict[str, tuple[str, Any]]:
    if asked.kind.startswith("application/x-www-form-urlencoded"):
        return {name: ("", value) for name, value in parse_qsl(asked.body.decode())}
    head = f"Content-Type: {asked.kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + asked.body, policy=email.policy.HTTP)
    found = {}
    for item in message.iter_parts():
        name = item.get_param("name", header="Content-Disposition")
        found[str(name)] = (item.get_filename() or "", item.get_payload(decode=True))
    return found


def _background(asked: Asked, operation: dict[str, Any], work: Any, url: str | None = None) -> Answer:
    """Do something as CVAT does in the background: the answer is a number, the outcome is asked for by it."""
    rq = f"action={operation['type']}&id={asked.state.number()}"
    entry = {
        "id": rq,
        "status": "finished",
        "message": "",
        "operation": {"project_id": None, "job_id": None, "org_id": None, "format": None, "function_id": None}
        | operation,
        "progress": 1.0,
        "created_date": asked.state.now(),
        "started_date": asked.state.now(),
        "finished_date": asked.state.now(),
        "expiry_date": None,
        "owner": {"id": 1, "username": "gardener"},
        "result_url": url,
        "result_id": asked.task.id,
    }
    try:
        work()
    except Refused as refusal:
        entry |= {"status": "failed", "message": refusal.detail}
    asked.state.requests[rq] = entry
    return 202, {"rq_id": rq}, {}
