"""Files that an annotation store is filled from and written to: OBDB's artefacts, CVAT's XML, and any label format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitruve.annotation.store.backend import StoredTask
from vitruve.annotation.store.documents import COLLECTIONS, Json, TaskDocuments, name_of, task_from
from vitruve.annotation.store.store import Store
from vitruve.atomic import atomic_path
from vitruve.errors import InputError
from vitruve.formats.cvat_xml import NAME as XML
from vitruve.formats.cvat_xml import read_task
from vitruve.formats.cvat_xml_writer import FILE_NAME, write_task
from vitruve.formats.hub import format_for, read_labels, recognise, write_labels
from vitruve.formats.shapes import task_of

DOCUMENTS = "documents"
"""Name of the format of ``tasks.json``, ``meta.json`` and ``annotation_data.json``, as ``mongoimport`` takes them."""

_NUMBERS = {"$numberInt": int, "$numberLong": int, "$numberDouble": float}


def import_files(store: Store, source: Path, format: str | None = None, name: str | None = None) -> list[str]:
    """Put what files hold into a store. Doing so again changes nothing.

    Args:
        store: The store.
        source: A folder with OBDB's artefacts, an XML file of CVAT, or labels in any format.
        format: :data:`DOCUMENTS`, or a label format; found by looking inside by default.
        name: Name of the task that labels become; by default that of the file.

    Returns:
        A line for each task.

    Raises:
        InputError: A file is missing, cut short or damaged; then the store is as it was.
    """
    if format == DOCUMENTS or (format is None and source.is_dir() and (source / "annotation_data.json").is_file()):
        found: Iterator[TaskDocuments] = _artefacts(source)
        lines = []
        with store.writing():
            for documents in found:
                store.put_documents(documents)
                lines.append(f"{name_of(documents.task)}: {len(documents.annotations)} shapes")
        return lines
    if (format or recognise(source).NAME) == XML:
        task = read_task(source / FILE_NAME if source.is_dir() else source)
    else:
        task = task_of(read_labels(source, format), source.stem)
    task = replace(task, name=name or task.name)
    with store.writing():
        store.put(task)
    return [f"task {task.name}: {len(task.shapes)} shapes, {len(task.tracks)} tracks"]


def export_files(store: Store, target: Path, format: str | None = None, tasks: Sequence[str | int] = ()) -> list[Path]:
    """Write tasks of a store to files.

    Args:
        store: The store.
        target: A folder for documents and XML; a file or folder for labels.
        format: :data:`DOCUMENTS`, ``cvat_xml`` (a folder a task), or a label format; by default what the name of the
            target says, and documents where it says nothing.
        tasks: Names or numbers; all by default.

    Returns:
        What was written.

    Raises:
        InputError: There is no such task, or the target cannot be written.
    """
    chosen = [store.find(task) for task in tasks] if tasks else store.tasks()
    if not chosen:
        raise InputError(f"{store.address}: holds no task yet; fill it with vitruve store sync or vitruve store import")
    format = format or (format_for(target).NAME if target.suffix else DOCUMENTS)
    if format == DOCUMENTS:
        return _write_artefacts(store, chosen, target)
    if format != XML or target.suffix:
        write_labels(store.labels([_handle(task) for task in chosen], "."), target, format)
        return [target]
    written = []
    for task in chosen:
        file = target / _folder(task) / FILE_NAME
        write_task(store.read(task), file)
        written.append(file)
    return written


def _handle(task: StoredTask) -> str | int:
    return task.name if task.id is None else task.id


def _folder(task: StoredTask) -> str:
    """A name for a folder that no other task has."""
    plain = re.sub(r"[^\w.-]+", "_", task.name).strip("._") or "task"
    return plain if task.id is None else f"{plain}_{task.id}"


def _write_artefacts(store: Store, tasks: Sequence[StoredTask], folder: Path) -> list[Path]:
    files = [folder / f"{name}.json" for name in COLLECTIONS]
    with atomic_path(files[0]) as one, atomic_path(files[1]) as two, atomic_path(files[2]) as three:
        streams = [path.open("w", encoding="utf-8") for path in (one, two, three)]
        try:
            for task in tasks:
                documents = store.documents(task)
                for stream, items in zip(
                    streams, ((documents.task,), (documents.meta,), documents.annotations), strict=True
                ):
                    stream.writelines(json.dumps(item, ensure_ascii=False, default=str) + "\n" for item in items)
        finally:
            for stream in streams:
                stream.close()
    return files


def _artefacts(folder: Path) -> Iterator[TaskDocuments]:
    """Tasks of OBDB's three files, which are looked through to the end before the first one is given."""
    read = [_rows(folder / f"{name}.json") for name in COLLECTIONS]
    tasks, meta = ([json.loads(row) for row in rows] for rows in read[:2])
    frames = {_key(item, "task_name"): item for item in meta}
    drawn: dict[_Key, list[str]] = {}
    for row in read[2]:
        # Kept as text: a million documents are several times larger as objects.
        drawn.setdefault(_key(json.loads(row), "task_name"), []).append(row)
    names = {key[1] for key in (_key(item, "name") for item in tasks)}
    lost = sorted({key[1] for key in drawn} - names)
    if lost:
        raise InputError(
            f"{folder / 'annotation_data.json'}: task '{lost[0]}' is not in tasks.json; export all three again"
        )
    found = []
    for item in tasks:
        key = _key(item, "name")
        if key not in frames:
            raise InputError(f"{folder / 'meta.json'}: task '{key[1]}' has no entry; export all three files again")
        found.append((item, frames[key], drawn.get(key, [])))
        task_from(_documents(*found[-1]))
    return (_documents(*each) for each in found)


def _documents(item: Json, about: Json, rows: Sequence[str]) -> TaskDocuments:
    return TaskDocuments(_plain(item), _plain(about), [_plain(json.loads(row)) for row in rows])


_Key = tuple[Any, str, Any]


def _key(item: Json, name: str) -> _Key:
    """What the documents of one state of a task have in common; others are what a killed writer has left."""
    return _value(item.get("task_id")), str(item.get(name, "")), item.get("generation")


def _rows(file: Path) -> list[str]:
    """The documents of a file as text: one a line, or all in one list."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read; give tasks.json, meta.json and annotation_data.json") from error
    rows = [line for line in text.split("\n") if line.strip()]
    if text.lstrip().startswith("["):
        try:
            rows = [json.dumps(item) for item in json.loads(text)]
        except json.JSONDecodeError as error:
            raise InputError(f"{file}: line {error.lineno}: not JSON ({error.msg}); is the file cut short?") from error
    for number, row in enumerate(rows, 1):
        try:
            item = json.loads(row)
        except json.JSONDecodeError as error:
            raise InputError(f"{file}: line {number}: not JSON ({error.msg}); is the file cut short?") from error
        if not isinstance(item, dict):
            raise InputError(f"{file}: line {number}: must be a document with keys and values")
    return rows


def _plain(document: Json) -> Json:
    """A document without what MongoDB numbers it by; numbers and dates as plain values."""
    return {key: _value(item) for key, item in document.items() if key not in ("_id", "generation")}


def _value(item: Any) -> Any:
    if isinstance(item, list):
        return [_value(each) for each in item]
    if not isinstance(item, dict):
        return item
    if len(item) == 1:
        key, value = next(iter(item.items()))
        if key in _NUMBERS:
            return _NUMBERS[key](value)
        if key in ("$date", "$oid"):
            return _value(value)
    return {key: _value(value) for key, value in item.items()}
