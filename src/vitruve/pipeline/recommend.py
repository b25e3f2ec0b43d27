"""Settings to begin with, from what a labelled project holds and what the machine has, each with its reason."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitruve.algorithms import registry
from vitruve.algorithms.base import Task
from vitruve.atomic import atomic_write
from vitruve.errors import InputError
from vitruve.pipeline.dataset_facts import Facts, find_facts
from vitruve.pipeline.memory import Machine, StepMemory, step_memory, this_machine

FILE_NAME = "recommended.yaml"

_TRAIN_SHARE = 0.95
_MULTIPLE = 32
_GPU_SHARE, _RAM_SHARE = 0.8, 0.5
_STEPS = 10
_IMGAUG = {"upright": "dlc", "both ways": "dlc-lr", "all ways": "dlc-top-down", "unknown": "dlc"}
_HEADINGS = {
    "data": "Labels, images and videos",
    "model": "Network",
    "training": "Training",
    "dali": "Unlabelled video",
    "losses": "Weights of losses",
}


@dataclass(frozen=True)
class Setting:
    """One recommended setting.

    Attributes:
        key: Its full key.
        value: Plain values.
        reason: Why, in one line.
    """

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Recommendation:
    """What :func:`recommend` proposes.

    Attributes:
        facts: What the project holds.
        machine: What it was made for.
        memory: What a training step takes.
        settings: Every setting with its reason, in the order of the file.
        notes: What a setting cannot say.
        file: The file that was written, or None.
    """

    facts: Facts
    machine: Machine
    memory: StepMemory
    settings: tuple[Setting, ...]
    notes: tuple[str, ...]
    file: Path | None = None

    def value(self, key: str) -> Any:
        """The value of a recommended setting.

        Args:
            key: Its full key.

        Returns:
            The value.

        Raises:
            KeyError: It is left at its default.
        """
        return {setting.key: setting.value for setting in self.settings}[key]

    @property
    def yaml(self) -> str:
        """A settings file, with the reasons as comments."""
        lines = [f"# Recommended by `vitruve recommend` for {self._what()}"]
        lines += [f"# Note: {note}" for note in self.notes]
        before: list[str] = []
        for setting in self.settings:
            *path, name = setting.key.split(".")
            common = next((i for i, (a, b) in enumerate(zip(before, path, strict=False)) if a != b), None)
            start = min(len(before), len(path)) if common is None else common
            for depth in range(start, len(path)):
                heading = f"  # {_HEADINGS[path[0]]}" if depth == 0 else ""
                lines += [*([""] if depth == 0 else []), f"{'  ' * depth}{path[depth]}:{heading}"]
            # JSON is YAML: text is quoted, lists stay in their line.
            lines.append(
                f"{'  ' * len(path)}{name}: {json.dumps(setting.value, ensure_ascii=False)}  # {setting.reason}"
            )
            before = path
        return "\n".join(lines) + "\n"

    def _what(self) -> str:
        joints, facts, machine = len(self.facts.skeleton), self.facts, self.machine
        where = f"{machine.name} with" if machine.name else f"{machine.cores} processor cores and"
        return (
            f"{facts.labelled} labelled frames of {facts.size[0]} x {facts.size[1]} px, {joints} keypoints, "
            f"{facts.video_count} videos, on {where} {machine.memory / 1e9:.0f} GB"
        )


def recommend(dataset: Path, output: Path | None = None, machine: Machine | None = None) -> Recommendation:
    """Recommend settings for a labelled project.

    Args:
        dataset: A label file, or a project folder.
        output: The settings file to write (``.yaml``); None writes none.
        machine: What to train on; None for this machine.

    Returns:
        The settings with their reasons.

    Raises:
        InputError: There are no labels, or the file is there already.
    """
    if output is not None and output.suffix != ".yaml":
        raise InputError(f"{output}: settings files end in .yaml; choose such a name")
    if output is not None and output.exists():
        raise InputError(f"{output}: is there already; choose another file with --output, or see it with --print-only")
    facts = find_facts(dataset)
    machine = machine or this_machine()
    size, size_reason = input_size(facts.size, facts.labelled)
    model_type, backbone = _network(facts, machine)
    kind = registry.get(model_type.value)
    views = max(1, len(facts.views))
    memory = step_memory(
        kind,
        kind.Config.model_validate({"model_type": model_type.value, "backbone": backbone.value}),
        Task(facts.skeleton, size, views),
    )
    losses = _losses(facts)
    settings = [
        *_data(facts, output, size, size_reason, losses.value),
        model_type,
        backbone,
        losses,
        *_batches(facts, machine, memory, losses.value, model_type.value, kind.needs.context),
        *_course(facts, model_type.value),
        *_weights(losses.value),
    ]
    # A section stands in the file once.
    settings.sort(key=lambda setting: list(_HEADINGS).index(setting.key.partition(".")[0]))
    made = Recommendation(facts, machine, memory, tuple(settings), tuple(_notes(facts, model_type.value)), output)
    if output is not None:
        atomic_write(output, made.yaml)
    return made


def input_size(size: tuple[int, int], labelled: int) -> tuple[tuple[int, int], str]:
    """The network's input for images of a size: as many pixels as a square of 128, 256 or 384, in their proportions.

    Args:
        size: Width and height of the images, px.
        labelled: Number of labelled frames.

    Returns:
        Width and height, multiples of 32 and hardly larger than the image, and why.
    """
    longest = max(size)
    if longest < 192:
        side, why = 128, "images below 192 px"
    elif longest > 1024 and labelled > 500:
        side, why = 384, "images above 1024 px with more than 500 labels"
    else:
        side, why = 256, "images of medium size" if longest <= 1024 else "up to 500 labels do not fill a larger input"
    shrink = side / math.sqrt(size[0] * size[1])
    fitted = [max(_MULTIPLE, round(min(shrink, 1.0) * each / _MULTIPLE) * _MULTIPLE) for each in size]
    return (fitted[0], fitted[1]), f"{why}: as many pixels as {side} x {side}, in the images' proportions"


def _network(facts: Facts, machine: Machine) -> tuple[Setting, Setting]:
    known, strong = registry.names(), machine.device == "cuda"
    kind, reason = "heatmap", "one probability map a keypoint; likelihoods tell when not to trust it"
    if facts.context > 0.9 and "heatmap_mhcrnn" in known:
        if strong:
            kind, reason = "heatmap_mhcrnn", f"{facts.context:.0%} of the labelled frames have their neighbours in time"
        else:
            reason = "frames have their neighbours in time, but heatmap_mhcrnn takes five times the work of a processor"
    if len(facts.views) > 1 and strong and "heatmap_multiview_transformer" in known:
        kind, reason = "heatmap_multiview_transformer", f"{len(facts.views)} views of each instant inform one another"
    if kind == "heatmap_multiview_transformer":
        backbone, why = "vits_dino", "the transformer that joins the views is built on a plain vision transformer"
    elif strong and machine.memory > 6e9:
        backbone, why = "resnet50", "an accelerator carries it with ease"
    else:
        backbone, why = "resnet18", "a third of resnet50's memory and work"
    return Setting("model.model_type", kind, reason), Setting("model.backbone", backbone, why)


def _losses(facts: Facts) -> Setting:
    if not facts.videos:
        return Setting("model.losses_to_use", [], "no unlabelled videos were found")
    losses, reasons = ["temporal"], [f"{facts.video_count} unlabelled videos"]
    dims = 2 * len(_pose_columns(facts))
    if dims and _TRAIN_SHARE * facts.labelled >= 2 * dims:
        losses.append("pca_singleview")
        reasons.append(f"{facts.labelled} labelled poses for {dims} dimensions")
    else:
        reasons.append(f"no pca_singleview: {facts.labelled} labelled poses are few for {dims} dimensions")
    if facts.mirrors or len(facts.views) > 1:
        losses.append("pca_multiview")
        reasons.append("several views of the same body parts")
    return Setting("model.losses_to_use", losses, "; ".join(reasons))


def _pose_columns(facts: Facts) -> list[int]:
    """Keypoints of a pose: those labelled in most frames, and, with mirrors, only those of the body."""
    mirrored = {index for view in facts.mirrors for index in view}
    often = [index for index, share in enumerate(facts.coverage) if share >= 0.5]
    return [index for index in often if not mirrored or index in mirrored]


def _data(
    facts: Facts, output: Path | None, size: tuple[int, int], size_reason: str, losses: list[str]
) -> list[Setting]:
    root = facts.root.resolve()
    beside = output is not None and output.resolve().parent == root
    files = [_relative(file, root) for file in facts.files]
    names = list(facts.skeleton.names)
    found = [
        Setting("data.data_dir", "." if beside else str(root), "the folder that image names start from"),
        Setting("data.csv_file", files[0] if len(files) == 1 else files, f"{facts.labelled} labelled frames"),
    ]
    if facts.format != "lightning_pose":
        found.append(Setting("data.label_format", facts.format, "recognised"))
    if facts.videos:
        folder = _relative(facts.videos, root) if beside else str(facts.videos.resolve())
        found.append(Setting("data.video_dir", folder, f"{facts.video_count} videos"))
    found += [
        Setting("data.image_resize_dims.height", size[1], f"images are {facts.size[1]} px high; {size_reason}"),
        Setting("data.image_resize_dims.width", size[0], f"images are {facts.size[0]} px wide"),
        Setting("data.num_keypoints", len(names), "keypoints of the label file"),
        Setting("data.keypoint_names", names, "in its order"),
    ]
    if facts.views:
        found.append(Setting("data.view_names", list(facts.views), "one label file each"))
    if facts.mirrors:
        mirrors: Any = [list(view) for view in facts.mirrors]
        reason = "keypoints whose names differ only in the view"
        found.append(Setting("data.mirrored_column_matches", mirrors, reason))
    elif "pca_multiview" in losses:
        reason = "every keypoint is seen in every view"
        found.append(Setting("data.mirrored_column_matches", list(range(len(names))), reason))
    if "pca_singleview" in losses:
        columns = _pose_columns(facts)
        left = len(names) - len(columns)
        reason = f"all but {left} that are rarely labelled or not of the body" if left else "all keypoints"
        found.append(Setting("data.columns_for_singleview_pca", columns, reason))
    return found


def _batches(
    facts: Facts, machine: Machine, memory: StepMemory, losses: list[str], kind: str, context: int
) -> list[Setting]:
    gpu = machine.device != "cpu"
    budget = (_GPU_SHARE if machine.device == "cuda" else _RAM_SHARE) * machine.memory
    fit = memory.images(budget)
    frames = (32 if gpu else 16) if losses else 0
    # A frame of a window goes through the network once, however many predictions it is context of.
    share = 1 / (2 * context + 1)
    while frames > 8 and frames * share > fit / 2:
        frames //= 2
    room = max(1, int(fit - frames * share))
    train = max(1, int(_TRAIN_SHARE * facts.labelled))
    useful = 64 if gpu else (8 if machine.cores < 8 else 16)
    enough = max(4, train // _STEPS)
    batch = _power_of_two(min(room, useful, enough, train))
    limits = {
        f"{machine.name or 'memory'}: {memory.per_image / 1e6:.0f} MB an image": room,
        "more does not train faster" if gpu else f"{machine.cores} processor cores": useful,
        f"at least {_STEPS} steps an epoch with {train} training frames": enough,
    }
    reason = min(limits, key=lambda name: limits[name])
    found = [Setting("training.train_batch_size", batch, reason)]
    if batch < 4 <= train and room < 4:
        found.append(Setting("training.accumulate_grad_batches", 4 // batch, "four images an optimiser step"))
    if losses and context:
        found.append(
            Setting("dali.context.train.batch_size", max(8, frames), "frames of video a step, beside the labelled ones")
        )
    elif losses:
        why = "frames of video a step, beside the labelled ones" + ("" if gpu else ": few, for a processor")
        found.append(Setting("dali.base.train.sequence_length", frames, why))
    return found


def _weights(losses: list[str]) -> list[Setting]:
    reason = "the default 11 is made for heatmap_loss_type mse, some hundredths; beside kl, some nats, it hardly counts"
    return [Setting(f"losses.{name}.log_weight", 4.0, reason) for name in losses]


def _course(facts: Facts, kind: str) -> list[Setting]:
    few, turning = facts.labelled < 50, facts.turning == "all ways"
    epochs = {0: 300, 1: 500, 2: 1000}[few + turning]
    reasons = [f"fewer than 50 labels ({facts.labelled})"] * few + ["animals lie in all directions"] * turning
    transformer = kind == "heatmap_multiview_transformer"
    ways = {
        "upright": "animals lie alike in all images",
        "both ways": "animals lie alike or upside down",
        "all ways": "animals lie in all directions",
        "unknown": "the labels do not tell how animals lie",
    }
    settings = [
        Setting(
            "training.max_epochs", epochs, " and ".join(reasons) or "50 labels or more, and no need to learn turns"
        ),
        Setting("training.optimizer", "AdamW", "takes well to most networks"),
        Setting(
            "training.optimizer_params.learning_rate",
            5e-5 if transformer else 1e-3,
            "transformers want small steps" if transformer else "the highest of the schedule",
        ),
        Setting("training.lr_scheduler", "onecycle", "rises and falls once over all epochs, however many"),
    ]
    if transformer and not facts.calibrations:
        uncalibrated = "cameras without calibration: views cannot be moved alike"
        settings += [
            Setting("training.imgaug", "dlc-mv", f"the look alone; {uncalibrated}"),
            Setting("training.imgaug_3d", False, uncalibrated),
            Setting("losses.supervised_reprojection_heatmap_mse.log_weight", None, "cameras without calibration"),
        ]
    else:
        settings.append(Setting("training.imgaug", _IMGAUG[facts.turning], ways[facts.turning]))
    swaps = len(facts.skeleton.swaps)
    if facts.turning in ("both ways", "all ways") and swaps and not facts.mirrors and not facts.views:
        settings.append(Setting("training.imgaug_hflip", True, f"{swaps} left-right pairs change places by name"))
    return settings


def _notes(facts: Facts, kind: str) -> list[str]:
    notes = []
    if facts.calibrations:
        notes.append(
            f"{len(facts.calibrations)} calibration files of the cameras are there, and are found by themselves"
        )
    if facts.labelled < len(facts.labels):
        notes.append(f"{len(facts.labels) - facts.labelled} rows of the label file have no keypoint")
    if kind == "heatmap" and facts.context <= 0.9 and facts.videos:
        notes.append("frames from 'vitruve select-frames' bring the neighbours in time that heatmap_mhcrnn learns from")
    return notes


def _relative(path: Path, root: Path) -> str:
    whole = path.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(whole)


def _power_of_two(number: int) -> int:
    return 1 << (max(1, number).bit_length() - 1)
