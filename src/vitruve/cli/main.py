"""The command ``vitruve``: finds its verbs among the modules beside this one, and reports errors in one line.

A verb is a module with a function ``command``, or with a ``group`` of verbs. Functions import what they work with when
they are called, so that ``vitruve --help`` stays quick. Modules ``project_...`` hold verbs of ``vitruve project``.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

import vitruve
from vitruve.errors import Interrupted, VitruveError

BAD_INPUT = 2
"""Exit code for input or settings that cannot be used."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""


def verbs() -> list[str]:
    """The names of the verbs, without importing them: those of the modules, with hyphens."""
    package = importlib.import_module("vitruve.cli")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name.replace("_", "-") for name in names if name != "main" and not name.startswith("project_"))


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
    """Do the work of a program; errors of the input end it with exit code 2 and one line, an interruption with 130.

    Args:
        work: What the program does.
    """
    _one_line_warnings()
    try:
        work()
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        sys.exit(INTERRUPTED)
    except VitruveError as error:
        if os.environ.get("VITRUVE_DEBUG", "0") not in ("", "0"):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)


def _one_line_warnings() -> None:
    """Show our own warnings as one line each; those of other libraries are not the user's to mend."""

    def show(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
        print(f"warning: {message}", file=sys.stderr)

    warnings.showwarning = show
    if not os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=r"vitruve(\.|$)")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger("vitruve").addHandler(handler)
    logging.getLogger("vitruve").setLevel(logging.INFO)


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
