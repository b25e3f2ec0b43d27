"""Compose settings from a file and the command line. The only module that knows Hydra."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from vitruve.config.explain import place
from vitruve.config.schema import Config, Remarks
from vitruve.config.yaml_file import nearest_file, parse_yaml, read_yaml, yaml_error
from vitruve.errors import ConfigError
from vitruve.structures.skeletons import KNOWN

_PATHS = (
    "data.data_dir",
    "data.video_dir",
    "data.target_dir",
    "data.skeleton",
    "eval.test_videos_directory",
    "model.checkpoint",
    "model.backbone_checkpoint",
    "crop.locator",
    "resume",
)
_VIDEOS = ("data.video_dir", "data.target_dir", "eval.test_videos_directory")
"""Of these, what Lightning Pose looks for below ``data.data_dir``."""
_OUTPUTS = ("eval.saved_vid_preds_dir",)

# Hydra's state is one for all threads.
_composing = threading.RLock()


@dataclass(frozen=True)
class Composed:
    """Settings of one run and where it goes.

    Attributes:
        config: The settings; paths are absolute.
        run_dir: The folder of the run, absolute. It is not made.
        source: The file the settings come from, or None when there was none.
    """

    config: Config
    run_dir: Path
    source: Path | None


def compose(
    config_path: str | None = None,
    config_name: str | None = None,
    overrides: Sequence[str] = (),
    *,
    quiet: bool = False,
) -> Composed:
    """Compose the settings of one run.

    Nothing is written, the working directory stays, and no logger is touched.

    Args:
        config_path: Folder of the file; the current one by default. The file itself is taken too.
        config_name: Name of the file, with or without ``.yaml``.
        overrides: ``key.sub=value``; ``+``, ``++`` and ``~`` before the key mean what they mean to Hydra,
            but a key that the file leaves out needs no ``+``.
        quiet: Say nothing of settings that were converted or have no effect in training.

    Returns:
        The settings. Without a file they are the defaults and the overrides.

    Raises:
        ConfigError: The file is missing or broken, an override is malformed, or a setting is wrong.
    """
    source = _find(config_path, config_name)
    parsed = _parse(overrides)
    for override in parsed:
        if override.is_sweep_override():
            raise ConfigError(
                f"{override.input_line}: holds several values; add --multirun for one run each, "
                "or write [a,b] for one list"
            )
    with _hydra(source, parsed) as composed:
        config, remarks = _settings(composed, source, parsed)
        run_dir = _folder(composed, "hydra.run.dir")
    if not quiet:
        remarks.warn(source.name if source else None)
    return Composed(config, run_dir, source)


def compose_sweep(
    config_path: str | None = None,
    config_name: str | None = None,
    overrides: Sequence[str] = (),
    *,
    quiet: bool = False,
) -> list[Composed]:
    """Compose the settings of several runs: all combinations of the values that overrides list.

    Args:
        config_path: Folder of the file, as for :func:`compose`.
        config_name: Name of the file, as for :func:`compose`.
        overrides: As for :func:`compose`; ``key=a,b``, ``key=range(1,4)`` and ``key=choice(a,b)`` list
            values. ``hydra.sweeper.params`` of the file lists values too.
        quiet: As for :func:`compose`.

    Returns:
        The settings in the order of the combinations, the last override changing fastest. Run folders are
        ``hydra.sweep.dir`` / ``hydra.sweep.subdir``.

    Raises:
        ConfigError: As for :func:`compose`, or two runs would share a folder.
    """
    source = _find(config_path, config_name)
    parsed = _parse(overrides)
    fixed = [override for override in parsed if not override.is_sweep_override()]
    with _hydra(source, fixed) as composed:
        root = _folder(composed, "hydra.sweep.dir")
        listed = dict(OmegaConf.select(composed, "hydra.sweeper.params") or {})
    swept = _parse([f"{key}={value}" for key, value in listed.items()])
    runs: list[Composed] = []
    taken: dict[Path, int] = {}
    remarks = Remarks()
    for number, combination in enumerate(itertools.product(*(_values(item) for item in [*swept, *parsed]))):
        chosen = _parse(combination)
        with _hydra(source, chosen) as composed:
            with open_dict(composed):
                composed.hydra.job.num = number
                composed.hydra.job.id = str(number)
            folder = root / str(_selected(composed, "hydra.sweep.subdir"))
            if folder in taken:
                raise ConfigError(
                    f"hydra.sweep.subdir: runs {taken[folder]} and {number} would both go to {folder}; "
                    "put ${hydra.job.num} into it"
                )
            taken[folder] = number
            config, found = _settings(composed, source, chosen)
            remarks |= found
            runs.append(Composed(config, folder, source))
    if not quiet:
        remarks.warn(source.name if source else None)
    return runs


def examine_text(text: str, path: Path) -> tuple[Config, Remarks]:
    """Check settings before they are written to a file.

    Args:
        text: YAML, as the file would hold it.
        path: The file, which relative paths start from.

    Returns:
        The settings that a training with this file would have, and what there is to say of them.

    Raises:
        ConfigError: The text is not YAML, a setting is wrong, or a file that it names (``defaults``) is not there.
    """
    values = parse_yaml(text, path)
    if "defaults" in values:
        return _examine_several(text, path)
    try:
        return _settings(OmegaConf.create(values), path, ())
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if getattr(error, "full_key", None) else ""
        raise ConfigError(f"{path.name}: {key}{_first_line(error)}; check the spelling") from error


def _examine_several(text: str, path: Path) -> tuple[Config, Remarks]:
    """Check settings that other files belong to, which lie beside the file that the text is for."""
    beside = str(path.absolute().parent).replace("\\", "\\\\").replace("'", "\\'")
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / path.name
        first.write_text(text, encoding="utf-8")
        with _hydra(first, _parse([f"hydra.searchpath=['file://{beside}']"])) as composed:
            return _settings(composed, path, ())


def overridden(overrides: Sequence[str]) -> dict[str, str]:
    """What overrides set.

    Args:
        overrides: As for :func:`compose`.

    Returns:
        Each override as it was given, by its full key.

    Raises:
        ConfigError: One is malformed.
    """
    return {str(override.key_or_group): str(override.input_line) for override in _parse(overrides)}


def names_data(overrides: Sequence[str]) -> bool:
    """Whether overrides say which data they are for, so that settings without a file are complete.

    Args:
        overrides: As for :func:`compose`.

    Returns:
        True with ``data.data_dir``, False with nothing of the section ``data``.

    Raises:
        ConfigError: An override is malformed, or the section is set without ``data.data_dir``.
    """
    keys = overridden(overrides)
    if "data.data_dir" in keys:
        return True
    line = next((line for key, line in keys.items() if key.partition(".")[0] == "data"), None)
    if line is not None:
        raise ConfigError(
            f"command line: {line}: of which data? Name the settings file (vitruve train CONFIG.yaml, or --config-path "
            "DIR --config-name FILE), or give data.data_dir=FOLDER as well; without either, the example is trained on"
        )
    return False


def _find(config_path: str | None, config_name: str | None) -> Path | None:
    if config_path is None and config_name is None:
        return None
    folder = Path(config_path or ".").expanduser()
    if config_name is None:
        if folder.is_dir():
            hint = nearest_file(folder / "config.yaml").removeprefix("; ")
            raise ConfigError(f"{folder}: is a folder; say with --config-name which file ({hint.strip(' ()')})")
        folder, config_name = folder.parent, folder.name
    path = folder / config_name
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: no such folder; --config-path is the folder of the settings file")
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        path = path.with_name(path.name + ".yaml")
    if path.suffix != ".yaml":
        raise ConfigError(f"{path}: settings files end in .yaml; rename it")
    # Hydra's own message for a broken file has no line number.
    read_yaml(path)
    return path.absolute()


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            parsed.append(parser.parse_override(text))
        except HydraException as error:
            if "=" not in text and not text.startswith("~"):
                raise ConfigError(
                    f"{text}: not a setting; write key=value, such as training.max_epochs=50, or CONFIG.yaml"
                ) from error
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"{text}: cannot be read ({reason}); quote text with special characters") from error
    return parsed


def _values(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    try:
        return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
    except HydraException as error:
        raise ConfigError(f"{override.input_line}: glob lists nothing here; write key=a,b") from error


@contextmanager
def _hydra(source: Path | None, overrides: Sequence[Override]) -> Iterator[DictConfig]:
    """Compose with Hydra; its global state is what it was when the block ends."""
    folder = source.parent if source else None
    lines = [_addable(override, folder) for override in overrides]
    singleton = HydraConfig.instance()
    _composing.acquire()
    before = singleton.cfg
    try:
        start = initialize_config_dir(str(folder), version_base=None) if folder else initialize(None, version_base=None)
        with start:
            composed = hydra_compose(source.stem if source else None, lines, return_hydra_config=True)
            # Interpolations such as ${hydra:runtime.cwd} look here.
            singleton.cfg = composed
            yield composed
    except yaml.YAMLError as error:
        raise yaml_error(error, None) from error
    except InterpolationKeyError as error:
        raise ConfigError(
            f"{_name(source)}{error.full_key}: {_first_line(error)}; name a setting that there is"
        ) from error
    except (OmegaConfBaseException, HydraException) as error:
        key = f"{error.full_key}: " if getattr(error, "full_key", None) else ""
        text = _first_line(error)
        # Files are merged whole, so only what the command line asks for "could not" be done.
        where = "command line: " if text.startswith("Could not") else _name(source)
        raise ConfigError(f"{where}{key}{text}; check the spelling") from error
    finally:
        singleton.cfg = before
        _composing.release()


def _addable(override: Override, folder: Path | None) -> str:
    """Let ``key=value`` add a key that the file leaves out, unless it chooses a file of a config group."""
    text = str(override.input_line)
    group = folder is not None and (folder / str(override.key_or_group)).is_dir()
    plain = not text.startswith(("+", "~"))
    return f"++{text}" if plain and not group and not str(override.key_or_group).startswith("hydra") else text


def _settings(composed: DictConfig, source: Path | None, overrides: Sequence[Override]) -> tuple[Config, Remarks]:
    values = _plain(composed)
    keys = [str(override.key_or_group) for override in overrides]
    _lower_min_epochs(values, keys)
    for key in _PATHS:
        # Who writes '.' into a file means the folder of the file; who types it means the current folder.
        folders = [Path.cwd(), *([source.parent] if source else [])]
        folders = folders if key in keys else folders[::-1]
        data_dir = _holder(values, "data.data_dir").get("data_dir")
        if key in _VIDEOS and isinstance(data_dir, str):
            folders.insert(1, Path(data_dir))
        # A known skeleton is named, any other is a file.
        if key != "data.skeleton" or str(_holder(values, key).get("skeleton")) not in KNOWN:
            _make_absolute(values, key, folders)
    for each in _holder(values, "data.sets").get("sets") or ():
        if isinstance(each, dict):
            _make_absolute({"data": each}, "data.data_dir", [*([source.parent] if source else []), Path.cwd()])
    for key in _OUTPUTS:
        _make_absolute(values, key, [Path.cwd()])
    data_dir = _holder(values, "data.data_dir").get("data_dir")
    if isinstance(data_dir, str) and data_dir != "???" and not Path(data_dir).is_dir():
        where = place("data.data_dir", source.name if source else None, keys)
        raise ConfigError(f"{where}data.data_dir='{data_dir}': no such folder; give the folder of the labels")
    return Config.examine(values, source.name if source else None, keys)


def _plain(composed: DictConfig) -> dict[str, Any]:
    own = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
    values = OmegaConf.to_container(own, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _lower_min_epochs(values: dict[str, Any], overridden: Sequence[str]) -> None:
    """Let ``training.max_epochs`` of the command line win over a ``min_epochs`` of the file."""
    training = values.get("training")
    if not isinstance(training, dict) or "training.min_epochs" in overridden:
        return
    least, most = training.get("min_epochs"), training.get("max_epochs")
    if "training.max_epochs" in overridden and isinstance(least, int) and isinstance(most, int) and least > most:
        training["min_epochs"] = most


def _holder(values: dict[str, Any], key: str) -> dict[str, Any]:
    """What the setting stands in: its section, or all values."""
    section = key.rpartition(".")[0]
    holder = values.get(section) if section else values
    return holder if isinstance(holder, dict) else {}


def _make_absolute(values: dict[str, Any], key: str, folders: Sequence[Path]) -> None:
    holder, name = _holder(values, key), key.rpartition(".")[2]
    value = holder.get(name)
    if not isinstance(value, str) or value == "???":
        return
    candidates = [_below(folder, Path(value).expanduser()) for folder in folders]
    found = next((path for path in candidates if path.exists()), candidates[0])
    holder[name] = str(found.absolute())


def _below(folder: Path, path: Path) -> Path:
    """A path from a folder on; one that is yet to be made holds no links, so that ``..`` can be taken away."""
    return folder / path if folder.is_dir() else Path(os.path.normpath(folder / path))


def _selected(composed: DictConfig, key: str) -> Any:
    value = OmegaConf.select(composed, key, throw_on_missing=True)
    if value is None:
        raise ConfigError(f"{key}: must be a folder, not null")
    return value


def _folder(composed: DictConfig, key: str) -> Path:
    return Path(str(_selected(composed, key))).expanduser().absolute()


def _name(source: Path | None) -> str:
    return f"{source.name}: " if source else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:")
