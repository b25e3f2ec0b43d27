"""Model objects: HyperPose's architectures and backbones by name, around the core's algorithms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vitruve.algorithms import registry
from vitruve.compat.hyperpose import weights
from vitruve.compat.hyperpose.adapted import Adapted, adapt
from vitruve.compat.hyperpose.anatomy import colors_of, learned_skeleton, parts_of
from vitruve.compat.hyperpose.custom import lacking, tensor, tensors
from vitruve.compat.hyperpose.dialect import Prediction, dialect_of, of_views
from vitruve.compat.hyperpose.enums import BACKBONE, MODEL, option
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.translate import core_config, input_size, limbs_of, task_of
from vitruve.errors import InputError
from vitruve.networks.stride_backbone import StrideBackbone


class BasicModel(nn.Module):
    """What every model has; users derive networks of their own from it.

    Args:
        config: What ``Config.get_config()`` gave.
        hin: Height of the input in pixels; the configuration's by default.
        win: Width of the input in pixels; the configuration's by default.

    Attributes:
        parts: Enumeration of the keypoints, with what HyperPose counts among them (``Background``, ``Instance``).
        limbs: Pairs of keypoint numbers, as the network learns them.
        n_pos: How many parts there are.
        n_limbs: How many limbs there are.
        colors: One ``[r, g, b]`` a part.
        hin: Height of the input in pixels.
        win: Width of the input in pixels.
        hout: Height of the maps in cells.
        wout: Width of the maps in cells.
        data_format: ``channels_first`` or ``channels_last``.
    """

    def __init__(self, config: Configuration | None = None, hin: int | None = None, win: int | None = None) -> None:
        super().__init__()
        config = Configuration() if config is None else config
        model = replace(config.model, hin=hin or config.model.hin, win=win or config.model.win)
        self.config = config = replace(config, model=model)
        self.win, self.hin = input_size(config)
        self.data_format = config.model.data_format
        skeleton = learned_skeleton(config)
        self.parts: type[Enum] = parts_of(config, skeleton)
        self.limbs: Sequence[tuple[int, int]] = skeleton.edges
        self.n_pos, self.n_limbs = len(self.parts), len(self.limbs)
        self.colors = colors_of(skeleton, self.n_pos)
        stride = 32 if config.model.model_type is MODEL.PoseProposal else 8
        self.hout, self.wout = self.hin // stride, self.win // stride

    def forward(self, x: Any, is_train: bool | None = None, ret_backbone: bool = False) -> Any:
        """Maps of images; to be given by the class that derives from this one."""
        raise lacking(self, "forward")

    def infer(self, x: Any) -> tuple[Any, ...]:
        """The maps as a tuple, in the order in which they unpack."""
        with torch.no_grad():
            found = self.forward(x, is_train=False)
        return tuple(found.values() if isinstance(found, dict) else found)

    def cal_loss(self, *args: Any, **more: Any) -> Any:
        """Loss of maps; to be given by the class that derives from this one."""
        raise lacking(self, "cal_loss")

    def save_weights(self, path: str | Path, format: str | None = None) -> None:
        """Write the weights; see :func:`vitruve.compat.hyperpose.weights.save`."""
        weights.save(weighed(self), path, format)

    def load_weights(self, path: str | Path, format: str | None = None) -> None:
        """Read the weights; see :func:`vitruve.compat.hyperpose.weights.load`."""
        weights.load(weighed(self), path, format)


def weighed(model: nn.Module) -> nn.Module:
    """The part of a model whose weights are written: that which the core's run has, too."""
    algorithm = getattr(model, "algorithm", None)
    return algorithm if isinstance(algorithm, nn.Module) else model


class Preset(BasicModel):
    """One of HyperPose's architectures.

    Args:
        config: What ``Config.get_config()`` gave.
        parts: Enumeration of the keypoints; the configuration's by default.
        limbs: Pairs of keypoint numbers; the configuration's by default.
        hin: Height of the input in pixels.
        win: Width of the input in pixels.
        backbone: A name, a member of ``Config.BACKBONE``, or one of the classes of this module.
        pretraining: Start the backbone from published weights.
        data_format: ``channels_first`` or ``channels_last``.
        **more: Numbers that follow from the others in HyperPose (``n_pos``, ``hout``, ...); they are not looked at.
    """

    TYPE: ClassVar[MODEL]

    def __init__(
        self, config: Configuration | None = None, *, parts: Any = None, limbs: Any = None, hin: int | None = None,
        win: int | None = None, backbone: Any = None, pretraining: bool = False, data_format: str | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        config = Configuration() if config is None else config
        given = {
            "custom_parts": parts,
            "custom_limbs": None if limbs is None else tuple((int(a), int(b)) for a, b in limbs),
            "model_backbone": _named(backbone),
            "data_format": data_format,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        model = replace(config.model, model_type=type(self).TYPE, **changed)
        super().__init__(replace(config, model=model), hin, win)
        core = core_config(self.config)
        self.dialect = dialect_of(self.TYPE)
        kind = registry.get(self.TYPE.value)
        self.algorithm: Adapted = adapt(kind, core.model, task_of(self.config), self.dialect, pretraining)
        stride = self.dialect.stride(self.algorithm)
        self.hout, self.wout = self.hin // stride, self.win // stride
        self.limbs = limbs_of(self.algorithm, self.config.model.custom_limbs is not None)
        self.n_limbs = len(self.limbs)
        part = self.algorithm.backbone
        assert isinstance(part, StrideBackbone)
        self.backbone: Any = _described(part)

    def forward(self, x: Any, is_train: bool | None = None, ret_backbone: bool = False) -> Prediction:
        """Maps of images.

        Args:
            x: ``(N, 3, H, W)`` or ``(N, H, W, 3)``: whole numbers from 0 to 255, or fractions from 0 to 1. Sides that
                are no multiples of a cell are filled up with black on the right and at the bottom.
            is_train: Give all stages; by default what ``train()`` and ``eval()`` said.
            ret_backbone: Also give ``backbone_features``.

        Returns:
            Maps by name, which unpack as in HyperPose's first generation (``conf_map, paf_map``).
        """
        network, before = self.algorithm.network, self.algorithm.network.training
        features: list[torch.Tensor] = []
        seen = self.backbone.register_forward_hook(lambda module, given, found: features.append(found))
        network.train(before if is_train is None else is_train)
        try:
            outputs = network(as_images(x, next(network.parameters()).device, self.dialect.stride(self.algorithm)))
        finally:
            seen.remove()
            network.train(before)
        maps = self.dialect.predictions(self.algorithm, outputs)
        if ret_backbone:
            maps["backbone_features"] = features[0]
        if self.data_format == "channels_last":
            maps = {name: _moved(value, last=True) for name, value in maps.items()}
        return Prediction(maps, self.dialect.main, outputs)

    def infer(self, x: Any) -> tuple[Any, ...]:
        """The maps as a tuple, in the order in which they unpack."""
        with torch.no_grad():
            return tuple(self.forward(x, is_train=False))

    def cal_loss(
        self, *args: Any, predict_x: Any = None, target_x: Any = None, metric_manager: Any = None, mask: Any = None
    ) -> Any:
        """Loss of maps.

        Args:
            *args: The maps in place of names, as in HyperPose's first generation: ``conf, pd_conf, paf, pd_paf``;
                ``stage_confs, stage_pafs, conf, paf, mask``; or seven targets and seven predictions of Pose Proposal.
            predict_x: What :meth:`forward` gave.
            target_x: What a pre-processor gave, one image or several.
            metric_manager: Is told each term by its name.
            mask: ``(N, h, w)`` or ``(N, 1, h, w)`` True where something is to be learned; None for everywhere.

        Returns:
            A tensor with one number; of Pose Proposal's positional form, the five terms.

        Raises:
            InputError: The maps do not fit one another; the message says which.
        """
        if len(args) in (2, 3) and hasattr(args[0], "keys"):
            predict_x, target_x, metric_manager = (*args, metric_manager)[:3]
        elif args:
            predict_x, target_x, mask = self._by_position(args, mask)
        terms = self._terms(predict_x, target_x, mask)
        for name, value in terms.items():
            if metric_manager is not None:
                metric_manager.update(f"model/{name}_loss", value)
        if args and len(self.dialect.main) == 7 and len(args) > 7:
            return tuple(terms.values())
        return torch.stack(list(terms.values())).sum()

    def _by_position(self, args: Sequence[Any], mask: Any) -> tuple[Any, Any, Any]:
        main, wanted = self.dialect.main, self.dialect.wanted
        if len(main) == 2 and len(args) == 4:
            conf, pd_conf, paf, pd_paf = args
            return {"conf_map": pd_conf, "paf_map": pd_paf}, {"conf_map": conf, "paf_map": paf}, mask
        if len(main) == 2 and len(args) == 5:
            confs, pafs, conf, paf, mask = args
            maps = {"conf_map": confs[-1], "paf_map": pafs[-1], "stage_confs": list(confs), "stage_pafs": list(pafs)}
            return maps, {"conf_map": conf, "paf_map": paf}, mask
        if len(args) == len(wanted) + len(main):
            split = len(wanted)
            return dict(zip(main, args[split:], strict=True)), dict(zip(wanted, args[:split], strict=True)), mask
        raise InputError(
            f"{type(self).__name__}.cal_loss: {len(args)} maps; give predict_x and target_x, or "
            f"{len(wanted) + len(main)}: {', '.join((*wanted, *main))}"
        )

    def _terms(self, predict_x: Any, target_x: Any, mask: Any) -> dict[str, torch.Tensor]:
        where = f"{type(self).__name__}.cal_loss"
        own = predict_x.core if isinstance(predict_x, Prediction) else None
        predicted = tensors(predict_x, f"{where}: predict_x")
        wanted = tensors(target_x, f"{where}: target_x", predicted[self.dialect.main[0]])
        if self.data_format == "channels_last":
            predicted, wanted = (
                {name: _moved(each, last=False) for name, each in maps.items()} for maps in (predicted, wanted)
            )
        self.dialect.check(self.algorithm, predicted, f"{where}: predict_x", target=False)
        shapes = self.dialect.shapes(self.algorithm, target=True)
        # A pre-processor gives the targets of one image without the axis of images.
        wanted = {
            name: value[None] if name in shapes and value.ndim == len(shapes[name]) + 2 else value
            for name, value in wanted.items()
        }
        main = predicted[self.dialect.main[0]]
        count, (height, width) = len(main), main.shape[-2:]
        for name, middle in shapes.items():
            given = None if name not in wanted else tuple(wanted[name].shape[1:])
            if given != (*middle, height, width):
                raise InputError(
                    f"{where}: target '{name}' is {given or 'not there'}; expected {(*middle, height, width)}"
                )
        known = torch.ones(count, height, width, dtype=torch.bool, device=main.device)
        if mask is not None:
            area = tensor(mask, main)
            share = F.adaptive_avg_pool2d(area.reshape(count, 1, *area.shape[-2:]), (height, width))
            known &= share[:, 0] > 0.5
        outputs = self.dialect.outputs(self.algorithm, predicted) if own is None else own
        targets = self.dialect.core_targets(self.algorithm, wanted, known)
        return self.algorithm.loss(of_views(outputs), of_views(targets))


class Openpose(Preset):
    """OpenPose (Cao et al. 2017)."""

    TYPE = MODEL.Openpose


class LightweightOpenpose(Preset):
    """Lightweight OpenPose (Osokin 2018)."""

    TYPE = MODEL.LightweightOpenpose


class MobilenetThinOpenpose(Preset):
    """OpenPose on a thin MobileNet (Kim's tf-pose-estimation)."""

    TYPE = MODEL.MobilenetThinOpenpose


class PoseProposal(Preset):
    """Pose Proposal Networks (Sekii 2018)."""

    TYPE = MODEL.PoseProposal


class Pifpaf(Preset):
    """PifPaf (Kreiss, Bertoni, Alahi 2019)."""

    TYPE = MODEL.Pifpaf


PRESETS: dict[MODEL, type[Preset]] = {
    kind.TYPE: kind for kind in (Openpose, LightweightOpenpose, MobilenetThinOpenpose, PoseProposal, Pifpaf)
}
"""HyperPose's architectures."""


class NamedBackbone(StrideBackbone):
    """A backbone by itself.

    Args:
        scale_size: Input pixels in a cell of its map.
        data_format: How images and maps are laid out.
        pretraining: Start from published weights.
        input_size: Width and height of the images it is tried with, in pixels.
    """

    NAME: ClassVar[str]
    data_format = "channels_first"

    def __init__(
        self,
        scale_size: int = 8,
        data_format: str = "channels_first",
        pretraining: bool = False,
        input_size: tuple[int, int] = (64, 64),
    ) -> None:
        super().__init__(type(self).NAME, input_size, scale_size, pretrained=pretraining)
        self.data_format = data_format
        _described(self)

    def forward(self, x: Any) -> torch.Tensor:
        """The map of images as :meth:`Preset.forward` takes them."""
        found = super().forward(as_images(x, self.mean.device, self.stride))
        return found if self.data_format == "channels_first" else found.movedim(1, -1)


def backbone_classes() -> dict[str, type[NamedBackbone]]:
    """HyperPose's backbones by the names of its classes."""
    names = {
        **{f"Mobilenet{kind}_backbone": f"mobilenet{kind.lower()}" for kind in ("V1", "V2")},
        **{f"Mobilenet{kind}_backbone": f"mobilenet_{kind.lower()}" for kind in ("Dilated", "Thin", "Small")},
        **{f"{kind}_backbone": kind for kind in ("vggtiny", "vgg16", "vgg19")},
        **{f"Resnet{depth}_backbone": f"resnet{depth}" for depth in (18, 50)},
    }
    return {label: type(label, (NamedBackbone,), {"NAME": name}) for label, name in names.items()}


def as_images(x: Any, device: torch.device, multiple: int) -> torch.Tensor:
    """Images in any of HyperPose's layouts as the core's networks take them.

    Args:
        x: See :meth:`Preset.forward`.
        device: Where the network is.
        multiple: What both sides are filled up to a multiple of.

    Returns:
        ``(N, 3, H, W)`` from 0 to 255.

    Raises:
        InputError: It has another shape.
    """
    value = x if isinstance(x, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(x))
    if value.ndim != 4 or 3 not in (value.shape[1], value.shape[-1]):
        raise InputError(f"forward: images are {tuple(value.shape)}; give (N, 3, H, W) or (N, H, W, 3)")
    value = value if value.shape[1] == 3 else value.movedim(-1, 1)
    value = (value.float() * 255 if value.is_floating_point() else value.float()).to(device)
    return F.pad(value, (0, -value.shape[-1] % multiple, 0, -value.shape[-2] % multiple))


def _moved(value: Any, *, last: bool) -> Any:
    """Height and width after the axis of images, or at the end; lists element by element."""
    if isinstance(value, list):
        return [_moved(each, last=last) for each in value]
    return value.movedim((-2, -1), (1, 2)) if last else value.movedim((1, 2), (-2, -1))


def _named(backbone: Any) -> BACKBONE | str | None:
    name = getattr(backbone, "NAME", backbone)
    if name is None or (isinstance(name, str) and name not in BACKBONE.__members__):
        known: Iterator[BACKBONE] = (member for member in BACKBONE if member.value == name)
        return next(known, name)
    member: BACKBONE = option(BACKBONE, name, "backbone")
    return member


def _described(backbone: StrideBackbone) -> StrideBackbone:
    """With HyperPose's names of its numbers."""
    described: Any = backbone
    described.out_channels, described.scale_size = backbone.channels, backbone.stride
    return backbone
