"""``Config``: what is set here is what the next :func:`get_config` hands out.

HyperPose kept its settings in modules, where a second model in a program got those of the first. Here they belong to
the context that sets them (a thread, a task, or a ``with Config.scope():``), and a configuration that was handed out is
a value of its own: setting anything later does not change it, and handing it out makes no folder and no log file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vitruve.compat.hyperpose.enums import BACKBONE, DATA, KUNGFU, MODEL, OPTIM, TRAIN, option
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.errors import ConfigError, InputError

__all__ = ["BACKBONE", "DATA", "KUNGFU", "MODEL", "OPTIM", "TRAIN"]

_current: ContextVar[Configuration | None] = ContextVar("hyperpose_configuration", default=None)


def _now() -> Configuration:
    return _current.get() or Configuration()


def _set(section: str, **values: Any) -> None:
    now = _now()
    _current.set(replace(now, **{section: replace(getattr(now, section), **values)}))


def get_config() -> Configuration:
    """What has been set so far, as a value that does not change."""
    now = _now()
    folder = now.model.save_dir
    return replace(
        now,
        train=replace(now.train, vis_dir=folder / "train_vis_dir"),
        eval=replace(now.eval, vis_dir=folder / "eval_vis_dir"),
        test=replace(now.test, vis_dir=folder / "test_vis_dir"),
        data=replace(now.data, vis_dir=folder / "data_vis_dir"),
        log=replace(now.log, log_path=folder / "log.txt"),
    )


def reset() -> None:
    """Forget all that was set."""
    _current.set(Configuration())


@contextmanager
def scope() -> Iterator[None]:
    """Settings that hold in a ``with`` block only, beginning from the defaults."""
    token = _current.set(Configuration())
    try:
        yield
    finally:
        _current.reset(token)


def set_model_name(model_name: str) -> None:
    """Name the model; all its files go to ``save_dir/<model_name>``.

    Args:
        model_name: Also the name of a folder.

    Raises:
        ConfigError: It cannot be one.
    """
    if not isinstance(model_name, str) or not model_name or Path(model_name).name != model_name:
        raise ConfigError(f"Config.set_model_name({model_name!r}): must be a name that a folder can have")
    _set("model", model_name=model_name)


def set_model_type(model_type: MODEL | str) -> None:
    """Choose the algorithm, a member of :class:`MODEL`."""
    _set("model", model_type=option(MODEL, model_type, "Config.set_model_type"))


def set_model_backbone(model_backbone: BACKBONE | str) -> None:
    """Choose the backbone: a member of :class:`BACKBONE`, or the name of any timm network."""
    if isinstance(model_backbone, str) and model_backbone not in BACKBONE.__members__:
        _set("model", model_backbone=model_backbone)
        return
    _set("model", model_backbone=option(BACKBONE, model_backbone, "Config.set_model_backbone"))


def set_model_arch(model_arch: Any) -> None:
    """Use a network of one's own: an object, or a class or function called with the configuration."""
    _set("model", model_arch=model_arch)


def set_input_size(hin: int, win: int) -> None:
    """Height and width of the network's input, in pixels."""
    for name, value in (("hin", hin), ("win", win)):
        if _whole(value, f"Config.set_input_size: {name}") % 8:
            raise ConfigError(f"Config.set_input_size: {name}={value} must be a multiple of 8 (32 for PoseProposal)")
    _set("model", hin=hin, win=win)


def set_data_format(data_format: str) -> None:
    """``channels_first`` or ``channels_last``: how the arrays of the low level functions are laid out."""
    if data_format not in ("channels_first", "channels_last"):
        raise ConfigError(f"Config.set_data_format({data_format!r}): must be channels_first or channels_last")
    _set("model", data_format=data_format)


def set_save_root(folder: str | Path) -> None:
    """Put the models' folders here in place of ``save_dir``."""
    _set("model", save_root=Path(folder))


def set_custom_parts(parts: Any) -> None:
    """Learn these keypoints: an enumeration whose values count from 0."""
    _set("model", custom_parts=parts)


def set_custom_limbs(limbs: Sequence[tuple[Any, Any]]) -> None:
    """Connect these pairs of keypoints: their numbers, or members of the enumeration of :func:`set_custom_parts`."""
    _set("model", custom_limbs=tuple(_limb(limb) for limb in limbs))


def _limb(limb: Any) -> tuple[int, int]:
    try:
        first, second = (int(end.value if isinstance(end, Enum) else end) for end in limb)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Config.set_custom_limbs: {limb!r} is no pair of keypoints; give (0, 1), ...") from error
    return first, second


def set_custom_augmentor(augmentor: Any) -> None:
    """Change images and annotations by a class of one's own."""
    _set("model", custom_augmentor=augmentor)


def set_custom_preprocessor(preprocessor: Any) -> None:
    """Make targets by a class of one's own."""
    _set("model", custom_preprocessor=preprocessor)


def set_custom_postprocessor(postprocessor: Any) -> None:
    """Make people of the network's output by a class of one's own."""
    _set("model", custom_postprocessor=postprocessor)


def set_custom_visualizer(visualizer: Any) -> None:
    """Draw by a class of one's own."""
    _set("model", custom_visualizer=visualizer)


def set_dataset_type(dataset_type: DATA | str) -> None:
    """Choose the data set, a member of :class:`DATA`."""
    _set("data", dataset_type=option(DATA, dataset_type, "Config.set_dataset_type"))


def set_dataset_path(dataset_path: str | Path) -> None:
    """Folder in which the official data set lies."""
    _set("data", dataset_path=Path(dataset_path))


def set_dataset_version(dataset_version: str) -> None:
    """``2014`` or ``2017``, of COCO."""
    if str(dataset_version) not in ("2014", "2017"):
        raise ConfigError(f"Config.set_dataset_version({dataset_version!r}): must be '2014' or '2017'")
    _set("data", dataset_version=str(dataset_version))


def set_dataset_filter(dataset_filter: Callable[[Any], bool] | None) -> None:
    """Keep the images whose meta object this function is true for, in training, evaluation and testing."""
    if dataset_filter is not None and not callable(dataset_filter):
        raise ConfigError(f"Config.set_dataset_filter({dataset_filter!r}): must be a function of a meta object")
    _set("data", dataset_filter=dataset_filter)


def set_official_dataset(official_flag: bool) -> None:
    """Whether the official data set is used beside the user's own images."""
    _set("data", official_flag=bool(official_flag))


def set_useradd_data(
    useradd_train_image_paths: Sequence[str | Path],
    useradd_train_targets: Sequence[Mapping[str, Any]],
    useradd_scale_rate: int = 1,
) -> None:
    """Train with images of one's own, too.

    Args:
        useradd_train_image_paths: The images.
        useradd_train_targets: For each a mapping with ``kpt``, and optionally ``bbx`` (also ``bbxs``) and ``mask``.
        useradd_scale_rate: How often each is taken.

    Raises:
        InputError: There are not as many targets as images, or one has no keypoints.
    """
    paths, targets = [Path(path) for path in useradd_train_image_paths], list(useradd_train_targets)
    if len(paths) != len(targets):
        raise InputError(f"Config.set_useradd_data: {len(paths)} images but {len(targets)} targets; give one each")
    for path, target in zip(paths, targets, strict=True):
        if "kpt" not in target:
            raise InputError(f"Config.set_useradd_data: {path}: its target has no 'kpt'; it has {', '.join(target)}")
    rate = _whole(useradd_scale_rate, "Config.set_useradd_data: useradd_scale_rate")
    frozen = tuple(MappingProxyType(dict(target)) for target in targets)
    _set("data", useradd_paths=tuple(paths), useradd_targets=frozen, useradd_scale_rate=rate)


def set_userdef_dataset(userdef_dataset: Any) -> None:
    """Use a data set of one's own: an object, or a class called with the configuration."""
    _set("data", userdef_dataset=userdef_dataset, dataset_type=DATA.USERDEF)


def set_multiple_dataset(multiple_dataset_configs: Sequence[Configuration]) -> None:
    """Train on the data sets of several configurations; the first is evaluated on."""
    configs = tuple(multiple_dataset_configs)
    if not configs:
        raise ConfigError("Config.set_multiple_dataset: give at least one configuration")
    _set("data", multiple_configs=configs, dataset_type=DATA.MULTIPLE)


def set_domainadapt_dataset(domainadapt_train_img_paths: Sequence[str | Path], domainadapt_scale_rate: int = 1) -> None:
    """Adapt the backbone to these unlabelled images."""
    rate = _whole(domainadapt_scale_rate, "Config.set_domainadapt_dataset: domainadapt_scale_rate")
    paths = tuple(Path(path) for path in domainadapt_train_img_paths)
    _set("data", domainadapt_paths=paths, domainadapt_scale_rate=rate)


def set_batch_size(batch_size: int) -> None:
    """Images a training step."""
    _set("train", batch_size=_whole(batch_size, "Config.set_batch_size"))


def set_learning_rate(learning_rate: float) -> None:
    """The learning rate that training begins with."""
    if isinstance(learning_rate, bool) or not isinstance(learning_rate, (int, float)) or not learning_rate > 0:
        raise ConfigError(f"Config.set_learning_rate({learning_rate!r}): must be a number above 0")
    _set("train", lr_init=float(learning_rate))


def set_learning_rate_decay(steps: Sequence[int], factor: float) -> None:
    """Multiply the learning rate by a factor after each of these steps."""
    _set("train", lr_decay_steps=tuple(int(step) for step in steps), lr_decay_factor=float(factor))


def set_weight_decay(factor: float) -> None:
    """The strength of weight decay."""
    _set("train", weight_decay_factor=float(factor))


def set_n_step(n_step: int) -> None:
    """Training steps in all."""
    _set("train", n_step=_whole(n_step, "Config.set_n_step"))


def set_optim_type(optim_type: OPTIM | str) -> None:
    """Choose the optimiser, a member of :class:`OPTIM`."""
    _set("train", optim_type=option(OPTIM, optim_type, "Config.set_optim_type"))


def set_train_type(train_type: TRAIN | str) -> None:
    """One process or several, a member of :class:`TRAIN`."""
    _set("train", train_type=option(TRAIN, train_type, "Config.set_train_type"))


def set_kungfu_option(kungfu_option: KUNGFU | str) -> None:
    """How several processes keep together, a member of :class:`KUNGFU`."""
    _set("train", kungfu_option=option(KUNGFU, kungfu_option, "Config.set_kungfu_option"))


def set_processes(processes: int) -> None:
    """How many processes :attr:`TRAIN.Parallel_train` starts; under ``torchrun`` that says how many."""
    _set("train", processes=_whole(processes, "Config.set_processes"))


def set_save_interval(save_interval: int) -> None:
    """Steps between two checkpoints."""
    _set("train", save_interval=_whole(save_interval, "Config.set_save_interval"))


def set_vis_interval(vis_interval: int) -> None:
    """Steps between two pictures of training."""
    _set("train", vis_interval=_whole(vis_interval, "Config.set_vis_interval"))


def set_log_interval(log_interval: int) -> None:
    """Steps between two lines of the log."""
    _set("log", log_interval=_whole(log_interval, "Config.set_log_interval"))


def set_pretrain(enable: bool) -> None:
    """Whether the backbone starts from what :func:`Model.get_pretrain` learned."""
    _set("pretrain", enable=bool(enable))


def set_pretrain_dataset_path(dataset_path: str | Path) -> None:
    """Folder of ImageNet-style class folders, ``train`` and ``val``."""
    _set("pretrain", dataset_path=Path(dataset_path))


def set_pretrain_step(total_step: int) -> None:
    """Steps of pretraining in all."""
    _set("pretrain", total_step=_whole(total_step, "Config.set_pretrain_step"))


def set_core(settings: Mapping[str, Any]) -> None:
    """Settings of the core by their full names (``{"training.precision": "32"}``); they win over all others."""
    now = _now()
    _current.set(replace(now, core=MappingProxyType({**now.core, **settings})))


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{where}: {value!r} must be a whole number of at least 1")
    return value
