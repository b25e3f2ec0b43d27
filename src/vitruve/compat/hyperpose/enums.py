"""HyperPose's enumerations, in every spelling that its pages, its scripts and its two generations of code have."""

from __future__ import annotations

from enum import Enum, EnumMeta
from typing import Any

from vitruve.errors import ConfigError, nearest


class _Named(EnumMeta):
    """Says which member a misspelt one may be."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        known = list(cls.__members__)
        raise AttributeError(
            f"Config.{cls.__name__}.{name}: no such option{nearest(name, known)}; known are {', '.join(known)}"
        )


class Option(Enum, metaclass=_Named):
    """An enumeration whose values are the names the core knows."""


class MODEL(Option):
    """Algorithms; values are those of ``model.model_type``."""

    Openpose = "openpose"
    OpenPose = "openpose"
    LightweightOpenpose = "lightweight_openpose"
    LightweightOpenPose = "lightweight_openpose"
    LightweightOPenpose = "lightweight_openpose"
    MobilenetThinOpenpose = "mobilenet_thin_openpose"
    MobilnetThinOpenpose = "mobilenet_thin_openpose"
    PoseProposal = "pose_proposal"
    Poseproposal = "pose_proposal"
    Pifpaf = "pifpaf"
    PifPaf = "pifpaf"


class BACKBONE(Option):
    """Backbones; values are those of ``model.backbone``, and ``default`` is the algorithm's own."""

    Default = "default"
    Mobilenetv1 = "mobilenetv1"
    Mobilenetv2 = "mobilenetv2"
    MobilenetDilated = "mobilenet_dilated"
    MobilenetThin = "mobilenet_thin"
    MobilenetSmall = "mobilenet_small"
    Vggtiny = "vggtiny"
    Vgg16 = "vgg16"
    Vgg19 = "vgg19"
    Resnet18 = "resnet18"
    Resnet50 = "resnet50"


class DATA(Option):
    """Data sets."""

    MSCOCO = "mscoco"
    COCO = "mscoco"
    MPII = "mpii"
    USERDEF = "userdef"
    MULTIPLE = "multiple"


class TRAIN(Option):
    """Training in one process or in several."""

    Single_train = "single"
    Parallel_train = "parallel"


class KUNGFU(Option):
    """How several processes keep together; values are those of ``training.parallel``."""

    Sync_sgd = "sync_sgd"
    Sync_avg = "sync_avg"
    Pair_avg = "pair_avg"


class OPTIM(Option):
    """Optimisers; values are those of ``training.optimizer``."""

    Adam = "Adam"
    RMSprop = "RMSprop"
    SGD = "SGD"


def option(kind: type[Option], value: Any, where: str) -> Any:
    """A member of an enumeration, given as such or by its name or value.

    Args:
        kind: The enumeration.
        value: What the user gave.
        where: Names the call, for the message.

    Returns:
        The member.

    Raises:
        ConfigError: It is none of them.
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        if value in kind.__members__:
            return kind[value]
        for member in kind:
            if member.value == value:
                return member
    known = list(kind.__members__)
    hint = nearest(value, known) if isinstance(value, str) else ""
    raise ConfigError(f"{where}: {value!r} is no Config.{kind.__name__}{hint}; give one of {', '.join(known)}")
