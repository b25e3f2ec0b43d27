"""What people do with an annotation store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.store.files import export_files, import_files
from vitruve.annotation.store.stats import StoreStats, store_statistics
from vitruve.annotation.store.store import open_store
from vitruve.annotation.store.sync import Source, Synchronised, synchronise
from vitruve.annotation.store.versions import make_version
from vitruve.formats.dataset_version import DatasetVersion, VersionDifference, difference, read_version


def store_sync(
    tasks: Sequence[str | int] = (), *, store: str | Path | None = None, server: Source | None = None
) -> Synchronised:
    """Bring the completed tasks of a CVAT server into a store; what has not changed is not read again.

    Args:
        tasks: Names or numbers of tasks; all by default.
        store: Address of the store, see :func:`~vitruve.annotation.store.store.open_store`; made where it is missing.
        server: The server; by default that of the environment.

    Returns:
        What was done.

    Raises:
        InputError: There is no such completed task, or the store holds the tasks of another server.
        ServerError: A server failed; what was done stays, and doing the same again goes on.
    """
    source = server or CvatServer.connect()
    with open_store(store, create=True) as place:
        return synchronise(place, source, tasks)


def store_stats(store: str | Path | None = None) -> StoreStats:
    """Count what is in a store.

    Args:
        store: Address of the store.

    Returns:
        The counts by class, kind and task.
    """
    with open_store(store) as place:
        return store_statistics(place)


def store_import(
    source: str | Path, *, store: str | Path | None = None, format: str | None = None, name: str | None = None
) -> list[str]:
    """Put what files hold into a store; doing so again changes nothing.

    Args:
        source: A folder with OBDB's ``tasks.json``, ``meta.json`` and ``annotation_data.json``, an XML file of CVAT, or
            labels in any format.
        store: Address of the store; made where it is missing.
        format: ``documents`` or a label format; found by looking inside by default.
        name: Name of the task that labels become; by default that of the file.

    Returns:
        A line for each task.

    Raises:
        InputError: A file is missing or damaged; then the store is as it was.
    """
    with open_store(store, create=True) as place:
        return import_files(place, Path(source), format, name)


def store_export(
    target: str | Path,
    tasks: Sequence[str | int] = (),
    *,
    store: str | Path | None = None,
    format: str | None = None,
) -> list[Path]:
    """Write tasks of a store to files.

    Args:
        target: A folder, or a label file.
        tasks: Names or numbers of tasks; all by default.
        store: Address of the store.
        format: ``documents``, ``cvat_xml`` or a label format; by default what the name of the target says.

    Returns:
        What was written.

    Raises:
        InputError: There is no such task, or the target cannot be written.
    """
    with open_store(store) as place:
        return export_files(place, Path(target), format, tasks)


def store_version(
    file: str | Path,
    image_root: str | Path,
    tasks: Sequence[str | int] = (),
    *,
    store: str | Path | None = None,
    split: str | Path | None = None,
    skip_missing: bool = False,
) -> DatasetVersion:
    """Write down a data set as it is now, as a label file that never changes.

    Args:
        file: Where to; its name is that of the version.
        image_root: The folder that names of images start from.
        tasks: Names or numbers of tasks; all by default.
        store: Address of the store.
        split: Which image is in which split: ``split.csv`` of ``vitruve split``, a list of those that validate, or a
            label file; by default the tasks' subsets say it.
        skip_missing: Leave out images that are not there.

    Returns:
        The version.

    Raises:
        InputError: Images are missing, or another version has this name.
    """
    with open_store(store) as place:
        root, drawn = Path(image_root), None if split is None else Path(split)
        return make_version(place, Path(file), root, tasks, drawn, skip_missing)


def store_diff(one: str | Path, other: str | Path) -> VersionDifference:
    """Compare two versions of a data set.

    Args:
        one: File of the earlier one.
        other: File of the later one.

    Returns:
        The difference.

    Raises:
        InputError: A file is no version, or was changed after it was made.
    """
    return difference(read_version(Path(one)), read_version(Path(other)))
