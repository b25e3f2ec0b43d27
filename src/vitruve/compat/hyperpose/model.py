"""``Model``: networks, and the functions that train, evaluate and test them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.adapted import Metrics
from vitruve.compat.hyperpose.anatomy import colors_of, learned_skeleton, parts_of
from vitruve.compat.hyperpose.augmentor import BasicAugmentor
from vitruve.compat.hyperpose.custom import array, name_of, of_config, tensor
from vitruve.compat.hyperpose.dialect import dialect_of
from vitruve.compat.hyperpose.enums import BACKBONE, DATA, KUNGFU, MODEL, OPTIM, TRAIN, option
from vitruve.compat.hyperpose.evaluating import evaluate, export, test
from vitruve.compat.hyperpose.human import BodyPart, Human
from vitruve.compat.hyperpose.journal import newest
from vitruve.compat.hyperpose.network import (
    PRESETS,
    BasicModel,
    LightweightOpenpose,
    MobilenetThinOpenpose,
    Openpose,
    Pifpaf,
    PoseProposal,
    backbone_classes,
)
from vitruve.compat.hyperpose.pictures import ImageProcessor, map_sheet, save_sheet
from vitruve.compat.hyperpose.processors import (
    BasicPostProcessor,
    BasicPreProcessor,
    BasicVisualizer,
    Visualizer,
    named,
    postprocessor_of,
    preprocessor_of,
)
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.training import train
from vitruve.compat.hyperpose.translate import codec, core_config, limbs_of

__all__ = [
    "BACKBONE",
    "DATA",
    "KUNGFU",
    "MODEL",
    "OPTIM",
    "TRAIN",
    "BasicAugmentor",
    "BasicModel",
    "BasicPostProcessor",
    "BasicPreProcessor",
    "BasicVisualizer",
    "BodyPart",
    "Human",
    "ImageProcessor",
    "LightweightOpenpose",
    "MobilenetThinOpenpose",
    "Openpose",
    "Pifpaf",
    "PoseProposal",
]

OpenPose, LightWeightOpenPose, Poseproposal = Openpose, LightweightOpenpose, PoseProposal
MetricManager = Metrics

globals().update(backbone_classes())


def exam_model_weights(path: str | Path) -> None:
    """Print name, shape and mean of each array of a weight file."""
    print(weights.examine(path))


exam_npz_weights = exam_npz_dict_weights = exam_model_weights


def get_model(config: Configuration) -> Any:
    """The network of a configuration.

    Args:
        config: What ``Config.get_config()`` gave.

    Returns:
        A preset, or what ``Config.set_model_arch`` was given. One that was not trained yet begins with published
        weights of its backbone, where there are some and ``training.backbone_pretrained`` (``Config.set_core``) is not
        false.

    Raises:
        ConfigError: A setting does not fit.
    """
    arch = config.model.model_arch
    if arch is not None:
        return of_config(arch, "Config.set_model_arch", config)
    core, kind = core_config(config), PRESETS[config.model.model_type]
    if newest(config).is_file():
        return kind(replace(config, pretrain=replace(config.pretrain, enable=False)))
    return kind(config, pretraining=core.training.backbone_pretrained and core.model.backbone != "vggtiny")


def get_train(config: Configuration) -> Callable[..., None]:
    """A function of model and data set that trains; see :func:`vitruve.compat.hyperpose.training.train`."""
    return partial(train, config=config)


def get_evaluate(config: Configuration) -> Callable[..., Any]:
    """A function of model and data set that evaluates; see :func:`vitruve.compat.hyperpose.evaluating.evaluate`."""
    return partial(evaluate, config=config)


get_eval = get_evaluate


def get_test(config: Configuration) -> Callable[..., Any]:
    """A function of model and data set that tests; see :func:`vitruve.compat.hyperpose.evaluating.test`."""
    return partial(test, config=config)


def get_export(config: Configuration) -> Callable[..., Path]:
    """A function of a model that writes it as ONNX; see :func:`vitruve.compat.hyperpose.evaluating.export`."""
    return partial(export, config=config)


def get_pretrain(config: Configuration) -> Callable[..., Any]:
    """A function that trains the backbone alone; see :func:`vitruve.compat.hyperpose.pretrain.pretrain`."""
    from vitruve.compat.hyperpose.pretrain import pretrain

    return partial(pretrain, config=config)


def get_augmentor(config: Configuration) -> Any:
    """The class that changes images at random: the user's, or ours."""
    return config.model.custom_augmentor or BasicAugmentor


def get_preprocessor(config: Configuration | MODEL) -> Any:
    """The class that makes targets: the user's, or ours for the algorithm."""
    given = None if isinstance(config, MODEL) else config.model.custom_preprocessor
    return given or preprocessor_of(_type(config))


def get_postprocessor(config: Configuration | MODEL) -> Any:
    """The class that makes people of maps: the user's, or ours for the algorithm."""
    given = None if isinstance(config, MODEL) else config.model.custom_postprocessor
    return given or postprocessor_of(_type(config))


def get_visualizer(config: Configuration | MODEL) -> Any:
    """The class that draws: the user's, or ours."""
    given = None if isinstance(config, MODEL) else config.model.custom_visualizer
    return given or Visualizer


def get_imageprocessor(config: Configuration | None = None) -> type[ImageProcessor]:
    """The class that reads, fits and writes images; the same for all configurations."""
    return ImageProcessor


def get_preprocess(model_type: MODEL | str) -> Callable[..., tuple[Any, ...]]:
    """The function of HyperPose's first generation that makes targets.

    Args:
        model_type: A member of ``Config.MODEL``.

    Returns:
        Of OpenPose's kind and PifPaf ``f(annos, img_h, img_w, hout, wout, dataset_type, data_format)``, of Pose
        Proposal ``f(annos, bbxs, hin, win, hout, wout, hnei, wnei, parts, limbs, data_format)``. It gives the maps one
        after another.
    """
    kind = option(MODEL, model_type, "Model.get_preprocess")

    def preprocess(
        annos: Any, img_h: int, img_w: int, hout: int, wout: int, dataset_type: DATA = DATA.MSCOCO,
        data_format: str = "channels_first", mask: Any = None, bbxs: Any = None, parts: Any = None, limbs: Any = None,
    ) -> tuple[Any, ...]:  # fmt: skip
        usual_parts, usual_limbs, colors = _anatomy(kind, dataset_type)
        own = preprocessor_of(kind)(
            parts or usual_parts, usual_limbs if limbs is None else limbs, img_h, img_w, hout, wout, colors, data_format
        )
        maps = own.process(annos, mask, bbxs)
        return tuple(maps[name] for name in dialect_of(kind).wanted)

    def of_grid(
        annos: Any, bbxs: Any, hin: int, win: int, hout: int, wout: int, hnei: int = 9, wnei: int = 9,
        parts: Any = None, limbs: Any = None, data_format: str = "channels_first",
    ) -> tuple[Any, ...]:  # fmt: skip
        return preprocess(annos, hin, win, hout, wout, DATA.MSCOCO, data_format, None, bbxs, parts, limbs)

    return of_grid if kind is MODEL.PoseProposal else preprocess


def get_postprocess(model_type: MODEL | str) -> Callable[..., list[Any]]:
    """The function of HyperPose's first generation that makes people of maps.

    Args:
        model_type: A member of ``Config.MODEL``.

    Returns:
        ``f(*maps, dataset_type, data_format)``: a list of :class:`Human`, in pixels of the input. Of several images a
        list of such lists.
    """
    kind = option(MODEL, model_type, "Model.get_postprocess")

    def postprocess(
        *maps: Any, dataset_type: DATA = DATA.MSCOCO, data_format: str = "channels_first", parts: Any = None,
        limbs: Any = None,
    ) -> list[Any]:  # fmt: skip
        given = list(maps)
        if given and isinstance(given[-1], str):
            data_format = given.pop()
        if given and isinstance(given[-1], DATA):
            dataset_type = given.pop()
        usual_parts, usual_limbs, colors = _anatomy(kind, dataset_type)
        own = postprocessor_of(kind)(
            parts or usual_parts, usual_limbs if limbs is None else limbs, None if parts else colors, data_format
        )
        people: list[Any] = own.process(named(given, kind))
        return people[0] if len(people) == 1 else people

    return postprocess


def get_visualize(model_type: MODEL | str) -> Callable[..., None]:
    """The function of HyperPose's first generation that draws maps.

    Args:
        model_type: A member of ``Config.MODEL``.

    Returns:
        ``f(image, *maps, save_name, save_dir)``, which writes ``<save_dir>/<save_name>.png``.
    """
    kind = option(MODEL, model_type, "Model.get_visualize")

    def visualize(image: Any, *maps: Any, save_name: str = "maps", save_dir: str | Path = "./save_dir") -> None:
        found = named([tensor(value).detach() for value in maps], kind)
        panels, columns = map_sheet(image, [{name: array(value)[0] for name, value in found.items()}], None)
        save_sheet(panels, columns, Path(save_dir) / f"{save_name}.png")

    return visualize


def _type(config: Configuration | MODEL) -> MODEL:
    if isinstance(config, Configuration):
        return config.model.model_type
    kind: MODEL = option(MODEL, config, "Model")
    return kind


def _anatomy(kind: MODEL, dataset_type: DATA | str) -> tuple[Any, Any, Any]:
    """Parts, limbs and colours of an algorithm on a data set."""
    data = option(DATA, dataset_type, "dataset_type")
    usual = Configuration()
    config = replace(usual, model=replace(usual.model, model_type=kind), data=replace(usual.data, dataset_type=data))
    skeleton = learned_skeleton(config)
    parts = parts_of(config, skeleton)
    return parts, limbs_of(codec(kind, skeleton.names, skeleton.edges), False), colors_of(skeleton, len(parts))


def __getattr__(name: str) -> Any:
    known = [*__all__, *backbone_classes()]
    from vitruve.errors import nearest

    raise AttributeError(f"Model.{name}: no such name{nearest(name, known)} ({name_of(Configuration)} has settings)")
