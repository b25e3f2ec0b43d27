"""A skeleton as a small YAML file that people can write by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.formats.text_file import read_text
from vitruve.structures.skeleton import Skeleton

FILE_NAME = "skeleton.yaml"


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds keys and values.

    Args:
        path: The file.

    Returns:
        Its content; empty for an empty file.

    Raises:
        InputError: It is missing, not YAML, or holds something else.
    """
    try:
        content = yaml.safe_load(read_text(path, "a YAML file"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}:" if mark else ""
        raise InputError(f"{path}:{place} not YAML ({getattr(error, 'problem', None) or 'unreadable'})") from error
    if content is not None and not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; expected keys with values (names: ...)")
    return content or {}


def read_skeleton(path: Path) -> Skeleton:
    """The skeleton in a YAML file.

    Args:
        path: The file: ``names`` and, optionally, ``edges``, ``swaps``, ``sigmas``, ``colors``, ``derived``.
            Edges and swaps are pairs of names or of indices.

    Returns:
        The skeleton.

    Raises:
        InputError: The file is not as it should be.
    """
    content = read_yaml(path)
    try:
        return Skeleton.from_dict(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: skeleton: a value has the wrong form ({error})") from error


def write_skeleton(skeleton: Skeleton, path: Path) -> None:
    """Write a skeleton so that :func:`read_skeleton` gives the same one; pairs are written by name.

    Args:
        skeleton: The skeleton.
        path: The YAML file; it is replaced in one step.
    """
    content = skeleton.to_dict()
    for key in ("edges", "swaps"):
        content[key] = [[skeleton.names[a], skeleton.names[b]] for a, b in content[key]]
    content = {key: value for key, value in content.items() if value or key in ("names", "swaps")}
    atomic_write(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None))
