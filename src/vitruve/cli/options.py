"""Options that several verbs have, and how lists in options and the names of settings files are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from vitruve.errors import ConfigError

ProjectName = Annotated[str, typer.Argument(metavar="NAME", help="The project, or its folder.")]
ProjectsFolder = Annotated[Path, typer.Option("--folder", metavar="DIR", help="Folder that projects are in.")]
Cameras = Annotated[
    str, typer.Option("--cameras", metavar="A,B,...", help="Names of the cameras that count; all by default.")
]
Locator = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Run that finds the animal, for crops; by default the one the run keeps."),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip", help="Also look at the mirror image of each image; by default as the run's settings say."
    ),
]
Scales = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Sizes in which each image is looked at, as factors of the network's input, such as 0.5,1,2; by default "
        "as the run's settings say.",
    ),
]
BatchSize = Annotated[int | None, typer.Option(metavar="N", min=1, help="Images that go through the network together.")]
FrameStart = Annotated[int, typer.Option("--frame-start", metavar="N", min=0, help="The first frame, from 0.")]
NumberFrames = Annotated[
    int, typer.Option("--number-frames", metavar="N", min=-1, help="How many frames; -1 for all to the end.")
]
ConfigPath = Annotated[
    str | None, typer.Option("--config-path", "-cp", metavar="DIR", help="Folder of the settings file.")
]
ConfigName = Annotated[
    str | None, typer.Option("--config-name", "-cn", metavar="FILE", help="Name of the settings file.")
]


def settings_file(
    arguments: Sequence[str], config_path: str | None, config_name: str | None
) -> tuple[str | None, list[str]]:
    """The settings file among the arguments of a verb, and the settings that differ from it.

    Args:
        arguments: The file's name, where it is given so, and ``KEY=VALUE``.
        config_path: Folder of the file, as an option.
        config_name: Name of the file, as an option.

    Returns:
        The file that an argument names, or else ``config_path``; and all other arguments.

    Raises:
        ConfigError: Several files are named.
    """
    files = [item for item in arguments if "=" not in item and item.lower().endswith((".yaml", ".yml"))]
    if len(files) > 1 or (files and (config_path or config_name)):
        others = [item for item in (*files, config_path, config_name) if item]
        raise ConfigError(f"several settings files: {', '.join(others)}; name one")
    return files[0] if files else config_path, [item for item in arguments if item not in files]


def locator_among(sources: Sequence[Path], locator: Path | None) -> tuple[list[Path], Path | None]:
    """A locator that stands among the sources as ``locator=RUN``, as settings are written.

    Args:
        sources: As given.
        locator: That of the option.

    Returns:
        The sources without it, and the locator.

    Raises:
        ConfigError: There are several.
    """
    named = [Path(str(item).partition("=")[2]) for item in sources if str(item).startswith("locator=")]
    found = [*named, *([] if locator is None else [locator])]
    if len(found) > 1:
        raise ConfigError(f"several locators: {', '.join(map(str, found))}; name one")
    return [item for item in sources if not str(item).startswith("locator=")], found[0] if found else None


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """The numbers of a list such as ``0.5,1``.

    Args:
        text: Numbers with commas between them, or None.
        option: Its name, for messages.

    Returns:
        The numbers; None where nothing is given.

    Raises:
        ConfigError: Something is no number.
    """
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} {text}: expected numbers with commas between them, such as 0.5,1,2") from None


def listed(text: str) -> list[str]:
    """The words of a list such as ``A,B``.

    Args:
        text: Words with commas between them.

    Returns:
        The words, without spaces around them; none are empty.
    """
    return [word.strip() for word in text.split(",") if word.strip()]
