"""The command ``vitruve``: finds its verbs among the modules beside this one, and reports errors in one line.

A verb is a module with a function ``command``, or with a ``group`` of verbs. Functions import what they work with when
they are called, so that ``vitruve --help`` stays quick. Modules ``project_...`` hold verbs of ``vitruve project``.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

import vitruve
from vitruve.errors import Interrupted, VitruveError

_NO_VERBS = ("main", "options", "connection")

BAD_INPUT = 2
"""Exit code for input or settings that cannot be used."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""
TERMINATED = 143
"""Exit code after SIGTERM, which ``kill``, ``timeout`` and the schedulers of clusters send."""


def verbs() -> list[str]:
    """The names of the verbs, without importing them: those of the modules, with hyphens."""
    package = importlib.import_module("vitruve.cli")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(n.replace("_", "-") for n in names if n not in _NO_VERBS and not n.startswith("project_"))


def build() -> typer.Typer:
    """The command with all its verbs."""
    # Without rich for its own pages: it takes longer to import than all the rest of --help.
    app = typer.Typer(
        name="vitruve",
        help=(vitruve.__doc__ or "").partition("\n")[0],
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for verb in verbs():
        module = importlib.import_module(f"vitruve.cli.{verb.replace('-', '_')}")
        if hasattr(module, "group"):
            app.add_typer(module.group, name=verb)
        else:
            app.command(verb)(module.command)
    return app


def main() -> None:
    """Run the command line."""
    guarded(lambda: build()(prog_name="vitruve"))


def guarded(work: Callable[[], Any]) -> None:
    """Do the work of a program; it ends with one line and 2 for errors of the input, 130 for Ctrl-C, 143 for SIGTERM.

    Args:
        work: What the program does.
    """
    _one_line_warnings()
    with _sigterm_as_ctrl_c() as received:
        try:
            work()
        except Interrupted as stop:
            print(stop, file=sys.stderr)
        except VitruveError as error:
            if os.environ.get("VITRUVE_DEBUG", "0") not in ("", "0"):
                raise
            print(f"error: {error}", file=sys.stderr)
            sys.exit(BAD_INPUT)
        except (Exception, KeyboardInterrupt, SystemExit) as end:
            # Typer turns a KeyboardInterrupt into this exit code; and what is broken off may fail in any way.
            interrupted = isinstance(end, KeyboardInterrupt) or getattr(end, "code", None) == INTERRUPTED
            if not interrupted and (isinstance(end, SystemExit) or not received):
                raise
            print("stopped", file=sys.stderr)
        else:
            return
        sys.exit(TERMINATED if received else INTERRUPTED)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[list[int]]:
    """Treat SIGTERM like Ctrl-C while a block runs; what is given to the block holds the signal once it has come."""
    received: list[int] = []
    process = os.getpid()

    def stop(number: int, frame: object) -> None:
        if os.getpid() != process:
            # A forked worker has inherited this handler.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif not received:
            # Once only: ``timeout`` sends it to the process and again to its group, but a second Ctrl-C ends at once.
            received.append(number)
            if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
                # A script's shell lets what it starts in the background ignore Ctrl-C; this is not one.
                raise KeyboardInterrupt
            signal.raise_signal(signal.SIGINT)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # signals can be listened to in the main thread only
        yield received
        return
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _one_line_warnings() -> None:
    """Show our own warnings as one line each; those of other libraries are not the user's to mend."""

    def show(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
        print(f"warning: {message}", file=sys.stderr)

    warnings.showwarning = show
    if not os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=r"vitruve(\.|$)")
    log = logging.getLogger("vitruve")
    if not any(isinstance(handler, _Told) for handler in log.handlers):
        log.addHandler(_Told())
    if "LOCAL_RANK" in os.environ:
        # Read when torch is imported. Where nothing is frozen each process would ask whether DDP must look for that.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Of the processes that torchrun starts, the first speaks for all; what ends one of them is said all the same.
    log.setLevel(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.ERROR)


class _Told(logging.Handler):
    """Prints what is logged to what is the standard error stream at that time; programs that run commands change it."""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        print(f"warning: {said}" if record.levelno == logging.WARNING else said, file=sys.stderr)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vitruve {vitruve.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # The help text of the whole command stands in build(); a docstring here would replace it.
    del version


if __name__ == "__main__":
    main()
