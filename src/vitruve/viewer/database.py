"""FiftyOne, and data sets in it that are either whole or not there. With :mod:`.samples` all that knows FiftyOne."""

from __future__ import annotations

import contextlib
import importlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vitruve.errors import InputError, MissingExtraError

_MARK = "made_by"
_MAKER = "vitruve"


def load_fiftyone() -> Any:
    """The module ``fiftyone``.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("fiftyone")
    except ModuleNotFoundError as error:
        if error.name != "fiftyone":
            raise
        raise MissingExtraError("fiftyone", "fiftyone", "a FiftyOne data set") from None


@contextmanager
def new_dataset(name: str, overwrite: bool) -> Iterator[Any]:
    """Fill a data set that appears under its name when it is whole.

    Until then it has another name and is not persistent: FiftyOne itself removes what a killed process leaves.
    One that is to be replaced stays until the new one is whole.

    Args:
        name: What it will be called.
        overwrite: Replace a data set of this name.

    Yields:
        The empty ``fiftyone.Dataset``.

    Raises:
        InputError: The name is taken or cannot be used, or the database cannot be reached.
    """
    fo = load_fiftyone()
    with _reachable():
        taken = _check_name(fo, name, overwrite)
        dataset = fo.Dataset(f"{_MAKER} {uuid.uuid4().hex}")
        try:
            yield dataset
            dataset.info[_MARK] = _MAKER
            dataset.persistent = True
            _take_name(dataset, name, fo.load_dataset(name) if taken else None)
        except BaseException:
            # Whatever it is, Ctrl-C too: no part of a data set may stay. And what went wrong is worth more than that
            # the database went away as well.
            with contextlib.suppress(Exception):
                dataset.delete()
            raise


def _take_name(dataset: Any, name: str, former: Any | None) -> None:
    """Put a whole data set in the place of another, which goes only when that is done."""
    if former is None:
        dataset.name = name
        return
    former.name = f"{name} {uuid.uuid4().hex}"
    try:
        dataset.name = name
    except BaseException:  # after Ctrl-C, too, the former one must have its name back
        former.name = name
        raise
    former.delete()


@contextmanager
def _reachable() -> Iterator[None]:
    """Say in one line that there is no database."""
    from fiftyone.core.config import FiftyOneConfigError
    from pymongo.errors import PyMongoError

    try:
        yield
    except (FiftyOneConfigError, ConnectionError, PyMongoError) as error:
        reason = str(error).strip().splitlines()[0][:160].rstrip(". ")
        raise InputError(
            f"FiftyOne reaches no database ({reason}); start a mongod, and set FIFTYONE_DATABASE_URI to its address"
        ) from error


def _check_name(fo: Any, name: str, overwrite: bool) -> bool:
    """Whether a data set of this name is there and will be replaced."""
    from fiftyone.core.utils import to_slug

    try:
        slug = to_slug(name)
    except ValueError:
        raise InputError(f"FiftyOne data set '{name}': no name it can have; use letters and digits") from None
    for other in fo.list_datasets():
        if other != name and to_slug(other) == slug:
            raise InputError(
                f"FiftyOne data set '{name}': too much like '{other}', which is there; choose another name"
            )
    if not fo.dataset_exists(name):
        return False
    if not overwrite:
        raise InputError(
            f"FiftyOne data set '{name}': is there already; choose another name, or --overwrite to replace it"
        )
    if fo.load_dataset(name).info.get(_MARK) != _MAKER:
        raise InputError(
            f"FiftyOne data set '{name}': was not made by vitruve, so it is not replaced; choose another name"
        )
    return True
