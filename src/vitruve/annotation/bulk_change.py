"""One change to many tasks of a server: a function of the user's, or their status."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from vitruve.annotation.cvat.diff import Drawn, difference, name_of
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.verbs import Outcome, cvat_set_status
from vitruve.errors import InputError
from vitruve.structures.annotation import AnnotationTask

Hook = Callable[[AnnotationTask], AnnotationTask | None]
"""Gives a task back as it is to be: its shapes, tracks and status; None to leave it as it is."""


def change_tasks(
    hook: str | Hook,
    tasks: Sequence[int | str] = (),
    *,
    pattern: str = "",
    remove: Sequence[str] = (),
    apply: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Let a function change what is drawn in tasks, and their status.

    Args:
        hook: The function, or ``module:function``, which is looked for in the current folder, too.
        tasks: Numbers or names of tasks.
        pattern: In place of these, all tasks whose name holds it.
        remove: Names of shapes that the function leaves out and that are to be taken away, such as ``shape-12``; what
            it leaves out and is not named stays.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        The difference, and what was done.

    Raises:
        InputError: There is no such function or task, or the function gives back something else.
        ServerError: The server failed; doing the same again goes on.
    """
    work = load_hook(hook) if isinstance(hook, str) else hook
    server = server or CvatServer.connect()
    plans: list[tuple[AnnotationTask, AnnotationTask]] = []
    for number in _numbers(server, tasks, pattern):
        there = server.read(number)
        wanted = work(there)
        if wanted is not None and not isinstance(wanted, AnnotationTask):
            raise InputError(f"{hook}: gave back {type(wanted).__name__}; it must give back the task, or None")
        if wanted is not None:
            plans.append((there, wanted))
    lines, changes, left = list[str](), 0, set(remove)
    steps = []
    for there, wanted in plans:
        differing = difference(there, wanted)
        gone = [item for item in differing.extra if name_of(item) in left]
        left -= {name_of(item) for item in gone}
        said = list(differing.lines(there.frames, remove))
        count = len(differing.add) + len(differing.update) + len(gone) + (wanted.status != there.status)
        if wanted.status != there.status:
            said.append(f"~ status: {there.status} -> {wanted.status}")
        lines += [f"task {there.id} ({there.name}): {count} changes", *(f"  {line}" for line in said)]
        changes += count
        steps.append((there, wanted.status, differing.add, differing.update, gone))
    if left:
        raise InputError(f"--remove {', '.join(sorted(left))}: not among what the function leaves out")
    for there, status, add, update, gone in steps if apply else ():
        _carry_out(server, there, status, add, update, gone)
    return Outcome(tuple(lines), changes, apply and changes > 0, None)


def complete_tasks(
    tasks: Sequence[int | str] = (),
    *,
    pattern: str | None = None,
    apply: bool = False,
    server: CvatServer | None = None,
) -> Outcome:
    """Bring tasks to the status ``completed``.

    Args:
        tasks: Numbers or names of tasks.
        pattern: In place of these, all tasks whose name holds it; empty for all.
        apply: Change the server; without, only say what would be done.
        server: The server; by default that of the environment.

    Returns:
        What was done, or would be.

    Raises:
        InputError: Two tasks have one name, or no task is named.
        ServerError: The server failed; doing the same again goes on.
    """
    server = server or CvatServer.connect()
    done = [
        cvat_set_status(number, "completed", apply=apply, server=server) for number in _numbers(server, tasks, pattern)
    ]
    changes = sum(each.changes for each in done)
    return Outcome(tuple(line for each in done for line in each.lines), changes, apply and changes > 0, None)


def load_hook(name: str) -> Hook:
    """A function named on the command line.

    Args:
        name: ``module:function``.

    Returns:
        The function.

    Raises:
        InputError: There is none.
    """
    module, mark, function = name.partition(":")
    if not (module and mark and function):
        raise InputError(f"{name}: name a function as module:function, such as my_changes:complete")
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), function, None)
    except Exception as error:  # a module of the user is carried out here, and may raise anything
        raise InputError(f"{name}: module {module} cannot be imported ({type(error).__name__}: {error})") from error
    finally:
        sys.path.remove(folder)
    if not callable(found):
        raise InputError(f"{name}: module {module} has no function {function}")
    return found


def _numbers(server: CvatServer, tasks: Sequence[int | str], pattern: str | None) -> list[int]:
    if tasks:
        return [server.find(task).id for task in tasks]
    if pattern is None:
        raise InputError("no task is named; give numbers or names, or a part of their names")
    return [info.id for info in server.tasks(pattern=pattern) if info.size]


def _carry_out(
    server: CvatServer,
    there: AnnotationTask,
    status: str,
    add: Sequence[Drawn],
    update: Sequence[Drawn],
    gone: Sequence[Drawn],
) -> None:
    assert there.id is not None
    server.change(there.id, add, update, gone)
    if status != there.status:
        server.set_status(there.id, status)
