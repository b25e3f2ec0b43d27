"""The core's algorithm of a model, with a user's classes in their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitruve.algorithms import registry
from vitruve.compat.hyperpose.adapted import Adapted, Places, adapt_network
from vitruve.compat.hyperpose.custom import construct, has, name_of
from vitruve.compat.hyperpose.dialect import dialect_of
from vitruve.compat.hyperpose.network import BasicModel, Preset
from vitruve.compat.hyperpose.processors import Visualizer
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.translate import core_config, task_of
from vitruve.errors import ConfigError


def prepared_algorithm(model: Any, config: Configuration) -> Adapted:
    """The core's algorithm of a model, with the user's own parts in their places.

    Args:
        model: A preset, or a network of the user's own.
        config: Has the user's classes.

    Returns:
        The algorithm; of a preset always the same.

    Raises:
        ConfigError: A class lacks what is asked of it.
    """
    core, task = core_config(config), task_of(config)
    if is_preset(model):
        algorithm: Adapted = model.algorithm
        if algorithm.task.skeleton.names != task.skeleton.names or type(model).TYPE is not config.model.model_type:
            raise ConfigError(
                f"model {name_of(model)} of {len(algorithm.task.skeleton)} keypoints was built for another "
                "configuration; give the one that Model.get_model was called with"
            )
    else:
        kind = registry.get(config.model.model_type.value)
        algorithm = adapt_network(kind, core.model, task, dialect_of(config.model.model_type), model)
    about = described(model, config)
    values = {
        **{name: getattr(about, name) for name in ("parts", "limbs", "colors", "hin", "win", "hout", "wout")},
        "data_format": "channels_first",
        "config": config,
    }
    places: dict[str, Any] = {}
    for label in ("augmentor", "preprocessor", "postprocessor"):
        thing, where = getattr(config.model, f"custom_{label}"), f"Config.set_custom_{label}"
        if thing is not None:
            places[label] = construct(thing, where, **values)
            has(places[label], "process", where)
    algorithm.places = Places(len(about.parts), **places)
    return algorithm


def described(model: Any, config: Configuration) -> BasicModel:
    """What knows a model's parts and sizes: itself, or for a module that is none of HyperPose's, the configuration."""
    return model if isinstance(model, BasicModel) else BasicModel(config)


def is_preset(model: Any) -> bool:
    """Whether a model is one of HyperPose's as it is, not one whose forward or loss the user has written."""
    same = (getattr(type(model), name, None) is getattr(Preset, name) for name in ("forward", "cal_loss"))
    return isinstance(model, Preset) and all(same)


def visualizer_of(config: Configuration, folder: Path) -> Any:
    """The user's visualiser, or ours.

    Args:
        config: Has the user's class.
        folder: Where pictures go.

    Returns:
        The object.
    """
    if config.model.custom_visualizer is None:
        return Visualizer(folder)
    where = "Config.set_custom_visualizer"
    found = construct(config.model.custom_visualizer, where, save_dir=str(folder), config=config)
    for method in ("visualize", "visualize_compare"):
        has(found, method, where)
    if callable(getattr(found, "set_save_dir", None)):
        found.set_save_dir(str(folder))
    return found
