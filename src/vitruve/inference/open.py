"""A run in use: its network on the device, with what carries it out and what says where it looks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from vitruve.algorithms.base import Algorithm, Task
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, nearest
from vitruve.inference.device import pick_device
from vitruve.inference.load import Loaded, load_run
from vitruve.inference.locate import NetworkLocator, NoLocator, TableLocator
from vitruve.inference.looks import Looks, can_look_again
from vitruve.inference.parts import DetectedPredictor, PartPredictor, TilePredictor
from vitruve.inference.predictor import Predictor
from vitruve.inference.samples import Samples, load_samples
from vitruve.inference.settings import InferenceSettings, Runtime
from vitruve.inference.shots import Locator
from vitruve.run import RunFiles

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A run in use.

    Attributes:
        predictor: Its network.
        record: ``model.json``.
        config: Its settings.
        runtime: What carries the network out.
        identity: Names weights, runtime and whatever says where the network looks.
    """

    predictor: Predictor
    record: dict[str, Any]
    config: Config
    runtime: str
    identity: str


def open_run(
    directory: Path,
    runtime: str | None = None,
    batch_size: int | None = None,
    frames_expected: int | None = None,
    *,
    locator: Path | None = None,
    boxes: Path | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
) -> Opened:
    """Load a run's network and choose what carries it out.

    Args:
        directory: The run directory.
        runtime: Its name, for the locator's network as well; None as the settings of each run say.
        batch_size: Images that go through the network together; None as the run's settings say.
        frames_expected: How many images will be predicted, if known.
        locator: Run that says where the animal is; None for the one that the run keeps, if it does.
        boxes: A table of boxes, or a folder of them, in place of a locator.
        flip: Also look at mirror images; None as the run's settings say.
        scales: In which sizes images are looked at; None as the run's settings say.

    Returns:
        The run in use.

    Raises:
        RunError: The directory is no finished run, or is damaged.
        ConfigError: The runtime is unknown or cannot be used here, both a locator and boxes are given, or images cannot
            be looked at in these ways.
    """
    from vitruve.inference.runtimes.select import choose

    if runtime is not None and runtime not in get_args(Runtime):
        raise ConfigError(
            f"--runtime {runtime}: no such runtime{nearest(runtime, get_args(Runtime))}; "
            f"known are {', '.join(get_args(Runtime))}"
        )
    loaded = load_run(directory)
    config = Config.load(loaded.run.config)
    settings = config.inference.model_copy(update={"runtime": runtime} if runtime else {})
    settings = _with_looks(settings, loaded.algorithm, flip, scales)
    looks = Looks.of(settings, loaded.algorithm.needs)
    if looks.scales != (1.0,):
        settings = settings.model_copy(update={"runtime": _any_size(settings.runtime)})
    device = pick_device(settings.device, "inference.device")
    loaded.algorithm.to(device)
    looking = open_locator(
        config, loaded.algorithm.task, loaded.run, locator, boxes, batch_size, frames_expected, runtime
    )
    name, network, said = choose(
        loaded.algorithm,
        loaded.run,
        settings,
        _samples(loaded),
        _log.warning,
        frames_expected=frames_expected,
    )
    _log.info("%s: %s", directory.name, said)
    loaded.algorithm.network = network
    predictor = Predictor(loaded.algorithm, batch_size or config.inference.batch_size, device, looking, looks)
    predictor = in_parts(predictor, config, given=locator is not None)
    parts = [f"{loaded.weights_hash} {name}", looks.identity, "" if looking is None else looking.identity]
    parts += [predictor.identity] if isinstance(predictor, PartPredictor) else []
    identity = " ".join(part for part in parts if part)
    return Opened(predictor, loaded.record, config, name, identity)


def in_parts(predictor: Predictor, config: Config, *, given: bool = False) -> Predictor:
    """A predictor that looks at images in parts where its settings ask for that.

    Args:
        predictor: Of a run.
        config: The run's settings.
        given: Its locator was named for this prediction.

    Returns:
        One of tiles, one of all that a detector finds, or the same.
    """
    locator, needs, crop = predictor.locator, predictor.algorithm.needs, config.crop
    tiles = config.inference.tiles or config.data.tiles
    if needs.boxes and tiles is not None and locator is None:
        return TilePredictor(predictor, tiles, getattr(config.model, "nms_iou", 0.5))
    if not isinstance(locator, NetworkLocator) or needs.views or needs.instances or needs.context:
        return predictor
    if crop.instances == "all" or (crop.instances == "auto" and given and locator.predictor.algorithm.needs.boxes):
        size = predictor.algorithm.task.input_size
        return DetectedPredictor(predictor, locator.predictor, crop.rule(size[0] / size[1]))
    return predictor


def _with_looks(
    settings: InferenceSettings, algorithm: Algorithm, flip: bool | None, scales: Sequence[float] | None
) -> InferenceSettings:
    """The settings with what is asked for instead."""
    asked = {"flip": flip, "scales": None if scales is None else tuple(scales)}
    asked = {name: value for name, value in asked.items() if value is not None}
    if asked and not can_look_again(algorithm.needs):
        raise ConfigError(
            f"--{next(iter(asked))}: {algorithm.config.model_type} looks once at each image; leave it out"
        )
    try:
        return InferenceSettings.model_validate({**settings.model_dump(), **asked})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(f"inference.{place}={first['input']}: {first['msg'].lower()}, such as 0.5,1,2") from None


def _any_size(runtime: str) -> str:
    """The runtime for images of several sizes: converted networks take those of one."""
    if runtime != "auto" and not runtime.startswith("torch"):
        raise ConfigError(
            f"inference.runtime={runtime}: takes images of one size, but inference.scales asks for others; take torch, "
            "or write scales: [1.0]"
        )
    return "torch" if runtime == "auto" else runtime


def open_locator(
    config: Config,
    task: Task,
    run: RunFiles,
    locator: Path | None = None,
    boxes: Path | None = None,
    batch_size: int | None = None,
    frames_expected: int | None = None,
    runtime: str | None = None,
) -> Locator | None:
    """What says where a run's network looks.

    Args:
        config: The run's settings.
        task: The run's.
        run: The run.
        locator: Another run; None for the one that the run keeps, if it does.
        boxes: A table of boxes, or a folder of them, in place of a locator.
        batch_size: Images that go through the locator's network together; None as its settings say.
        frames_expected: How many images will be predicted, if known.
        runtime: What carries the locator's network out; None as its settings say.

    Returns:
        The locator; None where the whole image is looked at.

    Raises:
        ConfigError: Both a locator and boxes are given.
        VitruveError: The locator is no finished run, or there are no such boxes.
    """
    if locator is not None and boxes is not None:
        raise ConfigError(f"--locator {locator}, --boxes {boxes}: give one of the two")
    if boxes is not None:
        return TableLocator(boxes)
    place = locator or (run.locator if run.locator.is_dir() else None)
    if place is None:
        return NoLocator(run.path) if config.cropped else None
    opened = open_run(place, runtime, batch_size, frames_expected)
    aspect = task.input_size[0] / task.input_size[1]
    return NetworkLocator(opened.predictor, config.crop, aspect, opened.identity)


def _samples(loaded: Loaded) -> Samples | None:
    """What runtimes are compared on; they cannot be where an algorithm needs more than images."""
    if loaded.algorithm.needs.cameras or not loaded.run.samples.is_file():
        return None
    return load_samples(loaded.run.samples)
