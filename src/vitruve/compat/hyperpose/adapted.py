"""The core's algorithms with a user's augmentor, pre-processor, post-processor or network in their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import nn

from vitruve.algorithms.base import Algorithm, Outputs, Targets, Task
from vitruve.algorithms.crowd import gathered, ignored_cells
from vitruve.algorithms.settings import ModelSettings
from vitruve.compat.hyperpose.batches import annotated, augmented
from vitruve.compat.hyperpose.custom import array, call, name_of, takes, tensors
from vitruve.compat.hyperpose.dialect import Dialect, Prediction, of_images, of_views
from vitruve.compat.hyperpose.human import instances_of
from vitruve.errors import ConfigError, InputError
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances


class Watcher(Protocol):
    """Sees each training step."""

    def __call__(self, algorithm: Adapted, batch: Batch, outputs: Outputs, targets: Targets, losses: Targets) -> None:
        """Called before the step is taken."""


@dataclass
class Places:
    """What stands in for parts of an algorithm; None for its own.

    Attributes:
        parts: How many parts HyperPose counts: keypoints and what it counts among them.
        augmentor: Has ``process(image, annos, mask, bbxs)``; used in training.
        preprocessor: Has ``process(annos, mask, bbxs)``; makes the targets.
        postprocessor: Has ``process(predict_x)``; gives people for each image.
        watch: Sees each training step.
    """

    parts: int = 0
    augmentor: Any = None
    preprocessor: Any = None
    postprocessor: Any = None
    watch: Watcher | None = None


class Adapted(Algorithm):
    """Mixed into an algorithm by :func:`adapt`; without anything in its places it does what that does."""

    dialect: Dialect
    places: Places

    def training_losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses of the batch as the user's augmentor changes it; whoever watches is told."""
        if self.places.augmentor is not None:
            batch = augmented(batch, self.places.augmentor, self.places.parts)
        outputs, targets = self(batch), self.encode(batch)
        losses = self.loss(outputs, targets)
        if self.places.watch is not None:
            self.places.watch(self, batch, outputs, targets, losses)
        return losses

    def encode(self, batch: Batch) -> Targets:
        """Targets by the user's pre-processor, or by the algorithm."""
        preprocessor = self.places.preprocessor
        if preprocessor is None:
            return super().encode(batch)  # type: ignore[safe-super]
        where = f"preprocessor {name_of(preprocessor)}"
        found = []
        for annos, mask, boxes in annotated(batch, self.places.parts):
            given = tensors(preprocessor.process(annos=annos, mask=mask, bbxs=boxes), where, batch.to_image)
            found.append({name: value[None] for name, value in given.items()})
            self.dialect.check(self, found[-1], where, target=True)
        maps = {name: torch.cat([each[name] for each in found]) for name in found[0]}
        targets = self.dialect.core_targets(self, maps, self._known(batch))
        return of_views(targets)

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """People by the user's post-processor, or by the algorithm."""
        postprocessor = self.places.postprocessor
        if postprocessor is None:
            return super().decode(outputs, batch)  # type: ignore[safe-super]
        where = f"postprocessor {name_of(postprocessor)}"
        people = postprocessor.process(self.arrays(outputs))
        count = len(batch.to_image)
        if not isinstance(people, (list, tuple)) or len(people) != count:
            given = f"{len(people)} lists" if isinstance(people, (list, tuple)) else type(people).__name__
            raise InputError(f"{where}: gave {given}; a list of people for each of {count} images is expected")
        joints, device = len(self.task.skeleton), batch.to_image.device
        try:
            found = [instances_of(each, joints).map(lambda a: torch.from_numpy(a).to(device)) for each in people]
        except (AttributeError, TypeError) as error:
            raise InputError(f"{where}: gave no Human of body_parts and get_score ({error})") from error
        return gathered(found, batch)

    def prediction(self, outputs: Outputs) -> Prediction:
        """Outputs ``(B, 1, ...)`` by HyperPose's names, without the axis of views."""
        flat = of_images(outputs)
        return Prediction(self.dialect.predictions(self, flat), self.dialect.main, flat)

    def arrays(self, outputs: Outputs) -> Prediction:
        """The same as numpy arrays."""
        found = self.prediction({name: value.detach() for name, value in outputs.items()})
        for name, value in found.items():
            found[name] = [array(each) for each in value] if isinstance(value, list) else array(value)
        return found

    def target_maps(self, targets: Targets) -> dict[str, Any]:
        """Targets ``(B, 1, ...)`` by HyperPose's names, without the axis of views."""
        return self.dialect.targets(self, of_images(targets))

    def _known(self, batch: Batch) -> torch.Tensor:
        stride = self.dialect.stride(self)
        ignored = ignored_cells(batch, stride)
        if ignored is not None:
            return ~ignored
        width, height = (side // stride for side in batch.input_size)
        return torch.ones(len(batch), height, width, dtype=torch.bool, device=batch.to_image.device)


class AdaptedNetwork(Adapted):
    """The same around a network of the user's own, with its own loss. Mixed in by :func:`adapt_network`."""

    model: Any

    def forward(self, batch: Batch) -> Outputs:
        """What the user's network gives, by its names."""
        return {name: value[:, None] for name, value in self.network(batch.images[:, 0, 0]).items()}

    def loss(self, outputs: Outputs, targets: Targets) -> dict[str, torch.Tensor]:
        """What the user's ``cal_loss`` gives."""
        predicted = nested(of_images(outputs))
        wanted = self.target_maps(targets)
        known = next((targets[name] for name in ("learned", "known") if name in targets), None)
        where = f"{name_of(self.model)}.cal_loss"
        if takes(self.model.cal_loss, "predict_x"):
            found = call(
                self.model.cal_loss, predict_x=predicted, target_x=wanted, mask=known, metric_manager=Metrics()
            )
        else:
            found = self.model.cal_loss(*positional(self.model.cal_loss, self.dialect, predicted, wanted, known, where))
        return named_losses(found, where, add=len(self.dialect.main) > 2)

    def decode(self, outputs: Outputs, batch: Batch) -> Instances:
        """People by the user's post-processor, or by the algorithm."""
        if self.places.postprocessor is None:
            maps = nested(of_images(outputs))
            core = self.dialect.outputs(self, {**maps})
            outputs = of_views(core)
        return super().decode(outputs, batch)

    def averaged(self, outputs: Sequence[Outputs], mirrored: Sequence[bool]) -> Outputs | None:
        """Nothing is known of a user's maps that would let them be averaged."""
        return None

    def prediction(self, outputs: Outputs) -> Prediction:
        """Outputs by HyperPose's names."""
        flat = of_images(outputs)
        return Prediction(nested(flat), self.dialect.main, flat)


class Metrics:
    """Stands in for HyperPose's ``MetricManager`` where nobody asks for what it is told."""

    def update(self, name: str, value: Any) -> None:
        """Nothing is kept."""


def adapt(kind: type[Algorithm], config: ModelSettings, task: Task, dialect: Dialect, pretrained: bool) -> Adapted:
    """An algorithm whose places can be taken; its weights have the same names.

    Args:
        kind: The algorithm's class.
        config: Its settings.
        task: What it is built for.
        dialect: HyperPose's names.
        pretrained: Start from published weights where there are some.

    Returns:
        The algorithm.
    """
    found = cast(Adapted, type(kind.__name__, (Adapted, kind), {})(config, task, pretrained))
    found.dialect, found.places = dialect, Places()
    return found


def adapt_network(kind: type[Algorithm], config: ModelSettings, task: Task, dialect: Dialect, model: Any) -> Adapted:
    """An algorithm around a network of the user's own.

    Args:
        kind: The algorithm whose targets and decoding it takes.
        config: Its settings.
        task: What it is built for.
        dialect: HyperPose's names.
        model: A ``torch.nn.Module`` with ``forward`` and ``cal_loss``.

    Returns:
        The algorithm.

    Raises:
        ConfigError: It is no such module.
    """
    where = f"Config.set_model_arch: {name_of(model)}"
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{where} must be a torch.nn.Module, or derive from Model.BasicModel")
    if not callable(getattr(model, "cal_loss", None)):
        raise ConfigError(f"{where} has no cal_loss, which gives the loss of its maps")
    small = config.model_copy(update={"backbone": "vggtiny"})
    found = cast(AdaptedNetwork, type(kind.__name__, (AdaptedNetwork, kind), {})(small, task, False))
    found.dialect, found.places, found.config = dialect, Places(), config
    found.network = _Outside(model, found)
    object.__setattr__(found, "model", model)
    return found


def given(algorithm: Algorithm) -> type[Algorithm]:
    """A class whose only object is an algorithm that is there already, for those who build one of a class."""

    def new(cls: type[Algorithm], *args: Any, **more: Any) -> Algorithm:
        return algorithm

    return cast("type[Algorithm]", type(type(algorithm).__name__, (type(algorithm),), {"__new__": new}))


class _Outside(nn.Module):
    """A user's network as the core calls one: images from 0 to 255 in, tensors by name out."""

    def __init__(self, model: nn.Module, algorithm: AdaptedNetwork) -> None:
        super().__init__()
        self.model = model
        # Not a part of this module, but what it is a part of.
        object.__setattr__(self, "_algorithm", algorithm)

    def forward(self, images: torch.Tensor) -> Outputs:
        forward, algorithm = self.model.forward, cast(AdaptedNetwork, self.__dict__["_algorithm"])
        more = {"is_train": self.training} if takes(forward, "is_train") else {}
        found = forward(images.float() / 255, **more)
        where = f"{name_of(self.model)}.forward"
        if not hasattr(found, "keys"):
            names = algorithm.dialect.main
            if not isinstance(found, (list, tuple)) or len(found) != len(names):
                raise InputError(f"{where}: gave {type(found).__name__}; {', '.join(names)} are expected, or a mapping")
            found = dict(zip(names, found, strict=True))
        maps = tensors(found, where)
        algorithm.dialect.check(algorithm, maps, where, target=False)
        return flat(maps)


def flat(maps: dict[str, Any]) -> Outputs:
    """Lists of tensors as tensors with numbered names."""
    result: Outputs = {}
    for name, value in maps.items():
        result |= {f"{name}.{i}": each for i, each in enumerate(value)} if isinstance(value, list) else {name: value}
    return result


def nested(outputs: Outputs) -> dict[str, Any]:
    """The reverse of :func:`flat`."""
    result: dict[str, Any] = {}
    for name, value in outputs.items():
        label, _, number = name.partition(".")
        if number:
            result.setdefault(label, []).append(value)
        else:
            result[name] = value
    return result


def positional(
    function: Callable[..., Any],
    dialect: Dialect,
    predicted: dict[str, Any],
    wanted: dict[str, Any],
    known: Any,
    where: str,
) -> list[Any]:
    """Arguments of a ``cal_loss`` of HyperPose's first generation, in its order.

    Args:
        function: Of four, five (stages and a mask) or fourteen (targets, then predictions) arguments.
        dialect: HyperPose's names.
        predicted: By name.
        wanted: By name.
        known: Where something is to be learned.
        where: Names the function.

    Returns:
        The arguments.

    Raises:
        InputError: The function does not take them.
    """
    import inspect

    signature = inspect.signature(function)
    if len(dialect.main) > 2:
        given = [wanted[name] for name in dialect.wanted] + [predicted[name] for name in dialect.main]
    elif len(signature.parameters) == 5:
        stages = [predicted.get(f"stage_{kind}s", [predicted[f"{kind}_map"]]) for kind in ("conf", "paf")]
        given = [*stages, *(wanted[name] for name in dialect.wanted), known]
    else:
        given = [each for name in dialect.main for each in (wanted[name], predicted[name])]
    try:
        signature.bind(*given)
    except TypeError as error:
        raise InputError(
            f"{where}{signature}: {error}; it is called with {len(given)} maps, or with predict_x, target_x, "
            "metric_manager and mask if it has an argument 'predict_x'"
        ) from error
    return given


def named_losses(found: Any, where: str, *, add: bool) -> dict[str, torch.Tensor]:
    """What a ``cal_loss`` gave, as named scalars.

    Args:
        found: A scalar, a mapping of scalars, or several: of which all count (``add``), or the first, the total.
        where: Names the function.
        add: Several are parts of the sum.

    Returns:
        Their sum is the loss.

    Raises:
        InputError: One is no scalar.
    """
    if hasattr(found, "keys"):
        losses = {name: found[name] for name in found.keys()}  # noqa: SIM118
    elif isinstance(found, (list, tuple)):
        losses = {f"model_{i}": each for i, each in enumerate(found if add else found[:1])}
    else:
        losses = {"model": found}
    for name, value in losses.items():
        if not isinstance(value, torch.Tensor) or value.ndim:
            shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise InputError(f"{where}: '{name}' is {shape}; a tensor with one number is expected")
    if torch.is_grad_enabled() and not any(value.requires_grad for value in losses.values()):
        raise InputError(f"{where}: no gradient leads from {', '.join(losses)} to the network; nothing can be learned")
    return losses
