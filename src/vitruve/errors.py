"""Errors that a user can do something about.

Every message is one line that says where (file, row or key), what is wrong and what would be right. The command
line prints it without a stack trace and exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VitruveError(Exception):
    """Base of all errors that are reported in one line."""


class InputError(VitruveError):
    """A file, folder, array or argument does not hold what it should."""


class ConfigError(VitruveError):
    """A setting is unknown, has the wrong type or value, or cannot work with the data."""


class RunError(VitruveError):
    """A run directory cannot be used: missing, damaged, or made for something else."""


class ServerError(VitruveError):
    """A server cannot be used: unreachable, slow, refusing, or it failed half-way."""


class TrainingError(VitruveError):
    """Training cannot go on, for example because the loss is not a number."""


class Interrupted(VitruveError):
    """The user asked a long piece of work to stop; it stopped cleanly."""


class MissingExtraError(VitruveError):
    """An optional library is needed that is not installed.

    Args:
        library: The name of the library as it is imported.
        extra: The extra of this package that installs it.
        purpose: What it is needed for.
    """

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}: pip install 'vitruve[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word.

    Args:
        name: The word that was not recognised.
        known: All words that would have been.

    Returns:
        ``" (did you mean 'x'?)"``, or an empty string when nothing is close.
    """
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{match[0]}'?)" if match else ""
