"""Labels without what is not to be learned, nor to be measured."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from vitruve.data.source_settings import FilterSettings
from vitruve.errors import ConfigError
from vitruve.geometry.polygon import box_mask
from vitruve.structures.instances import UNLABELLED, Instances
from vitruve.structures.labels import Frame, Labels
from vitruve.structures.mask import Mask

Keep = Callable[[Frame], object]
"""Whether a frame is kept."""


def filtered(labels: Labels, settings: FilterSettings, keep: Keep | None = None) -> Labels:
    """The labels that the section ``data.filter`` leaves.

    Instances that are too small or have too few keypoints lose their keypoints, and their boxes become a part of
    ``Frame.ignore``: a network learns neither that they are there nor that they are not. The function and the rules on
    images come after that.

    Args:
        labels: One view or several. Where the size of an image is not known, nothing is added to what is ignored.
        settings: The rules.
        keep: A function of the program itself, beside the one that the settings name.

    Returns:
        The labels that are left.

    Raises:
        ConfigError: The function cannot be imported or fails, or nothing is left.
    """
    rules: dict[str, Keep] = {}
    if not settings.crowds:
        rules["crowds=false"] = lambda frame: frame.instances.crowds is None or not frame.instances.crowds.any()
    if settings.min_instances:
        rules[f"min_instances={settings.min_instances}"] = lambda frame: (
            int(_labelled(frame.instances).any(0).sum()) >= settings.min_instances
        )
    if settings.function is not None:
        rules[f"function={settings.function}"] = _function(settings.function)
    if keep is not None:
        rules["the filter of the program"] = keep
    frames, dropped, lost = [], Counter[str](), 0
    for frame in labels:
        frame, count = _without_small(frame, settings)
        lost += count
        rule = next((name for name, keeps in rules.items() if not _asked(name, keeps, frame)), None)
        if rule is None:
            frames.append(frame)
        else:
            dropped[rule] += 1
    if lost and not any(_labelled(frame.instances).any() for frame in frames):
        dropped[f"min_keypoints={settings.min_keypoints}, min_area={settings.min_area:g}"] += len(frames)
        frames = []
    if len(labels) and not frames:
        why = ", ".join(f"{name} drops {count}" for name, count in dropped.items())
        raise ConfigError(f"data.filter: leaves none of {len(labels)} images ({why}); loosen it")
    return replace(labels, frames=tuple(frames))


def _labelled(instances: Instances) -> np.ndarray:
    return np.asarray((instances.visible > UNLABELLED).any(-1))


def _asked(name: str, keeps: Keep, frame: Frame) -> bool:
    try:
        return bool(keeps(frame))
    except Exception as error:  # somebody else's function may raise anything
        raise ConfigError(f"data.filter: {name} fails on {frame.name}: {type(error).__name__}: {error}") from error


def _without_small(frame: Frame, settings: FilterSettings) -> tuple[Frame, int]:
    """The frame without keypoints of instances below the limits, and how many these were."""
    instances = frame.instances
    labelled = _labelled(instances)
    few = (instances.visible > UNLABELLED).sum(-1) < settings.min_keypoints
    boxes = _boxes(instances)
    with np.errstate(invalid="ignore"):
        areas = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
        if instances.areas is not None:
            areas = np.where(np.isnan(instances.areas), areas, instances.areas)
        gone = labelled & (few | (areas < settings.min_area))
    if not gone.any():
        return frame, 0
    ignore = []
    for view, image in enumerate(frame.images):
        mask = frame.ignore[view] if frame.ignore else None
        if image.size is not None and gone[view].any():
            added = box_mask(boxes[view][gone[view]], image.size)
            mask = added if mask is None else Mask.union([mask, added])
        ignore.append(mask)
    instances = replace(
        instances,
        keypoints=np.where(gone[..., None, None], np.nan, instances.keypoints),
        visible=np.where(gone[..., None], UNLABELLED, instances.visible).astype(instances.visible.dtype),
    )
    return replace(frame, instances=instances, ignore=tuple(ignore) if any(ignore) else ()), int(gone.sum())


def _boxes(instances: Instances) -> np.ndarray:
    """Boxes of the instances, around their keypoints where they have none."""
    points = np.where((instances.visible > UNLABELLED)[..., None], instances.keypoints[..., :2], np.nan)
    low = np.where(np.isnan(points), np.inf, points).min(-2, initial=np.inf)
    high = np.where(np.isnan(points), -np.inf, points).max(-2, initial=-np.inf)
    around = np.concatenate([low, high], -1)
    around[~np.isfinite(around).all(-1)] = np.nan
    return around if instances.boxes is None else np.where(np.isnan(instances.boxes), around, instances.boxes)


def _function(path: str) -> Keep:
    place, _, name = path.rpartition(":")
    try:
        found = getattr(_module(place), name)
    except Exception as error:  # somebody else's module may raise anything
        raise ConfigError(
            f"data.filter.function={path}: cannot be imported ({type(error).__name__}: {error}); write "
            "package.module:function or file.py:function"
        ) from error
    if not callable(found):
        raise ConfigError(
            f"data.filter.function={path}: is no function; it is given a Frame and says whether to keep it"
        )
    function: Keep = found
    return function


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        # A program's own folder is searched already, that of the command line is not.
        here = str(Path.cwd())
        added = here not in sys.path
        if added:
            sys.path.append(here)
        try:
            return importlib.import_module(place)
        finally:
            if added:
                sys.path.remove(here)
    spec = importlib.util.spec_from_file_location(Path(place).stem, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
