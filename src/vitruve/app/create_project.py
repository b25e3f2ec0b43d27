"""A new project of the app: which data there is for one, and what its settings would be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitruve.app.projects import CONFIG, RIG
from vitruve.app.words import counted
from vitruve.app.workspace import Workspace
from vitruve.config.yaml_edit import with_values
from vitruve.errors import InputError

_DEPTH = 4
_MOST = 200
_LONGEST = 80
# The folder of a training set that holds nothing but calibrations.
_CALIBRATIONS = "calib_params"
_SKIPPED = ("outputs", "models", "predictions", "logs", "labeled-data", "node_modules", "train", "val", "uploads")


@dataclass(frozen=True)
class Plan:
    """A project before it is there.

    Attributes:
        kind: Of the project.
        path: Its folder.
        text: Its settings.
        reasons: Why they are what they are, by full key.
        facts: What was found, a line each.
        warnings: What one should know before going on.
    """

    kind: str
    path: Path
    text: str
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self.path / CONFIG


def project_folder(workspace: Workspace, name: str, folder: str = "") -> Path:
    """Where a new project would lie.

    Args:
        workspace: The folders.
        name: Of the project.
        folder: Where it is made; by default the first folder of the workspace.

    Returns:
        The folder, which holds nothing yet.

    Raises:
        InputError: The name cannot be one of a folder, or the folder is in use or outside of the workspace.
    """
    plain = name.strip()
    if not plain:
        raise InputError("Name: give one, such as mouse_2024")
    odd = next((each for each in plain if not each.isprintable() or each in '/\\:*?"<>|'), None)
    if odd is not None or plain.startswith(".") or len(plain.encode()) > _LONGEST:
        raise InputError(
            f"Name: {plain[:_LONGEST]!r} cannot be the name of a folder; take letters, digits, '_' and '-', at most "
            f"{_LONGEST}"
        )
    path = workspace.resolve(workspace.resolve(folder.strip() or workspace.home) / plain)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{workspace.name(path)}: is there already; choose another name")
    return path


def find_data(workspace: Workspace, kind: str) -> list[Path]:
    """Data that a project could be made of.

    Args:
        workspace: The folders; those four levels down are looked at.
        kind: Of the project.

    Returns:
        Training sets of calibrated cameras, or label files, at most 200.
    """
    found: list[Path] = []
    for root in workspace.roots:
        for each in _below(root, _DEPTH, kind):
            if workspace.holds(each) and len(found) < _MOST:
                found.append(each)
    return found


def plan_rig(workspace: Workspace, path: Path, dataset: str, images: str = "") -> Plan:
    """The project of a training set of calibrated cameras.

    Args:
        workspace: The folders.
        path: Where it would lie.
        dataset: The training set of framesets; empty for a project of images alone.
        images: The training set of images, where it is another one.

    Returns:
        The project.

    Raises:
        InputError: A set is not as it should be.
    """
    from vitruve.project.config_file import config_text
    from vitruve.project.create import plan_project

    in_space = workspace.existing(dataset, "folder") if dataset.strip() else None
    flat = workspace.existing(images, "folder") if images.strip() else None
    made = plan_project(path, in_space, flat)
    crop, cube, config = made.crop, made.cube, made.config
    batches = next((line.partition(": ")[2] for line in made.reasons if line.startswith("BATCH_SIZE")), "") or "usual"
    # In the order in which the networks are trained, and are shown.
    reasons = {"CENTERDETECT.IMAGE_SIZE": "usual: the animal need only be found"}
    reasons |= {f"CENTERDETECT.{name}": batches for name in ("BATCH_SIZE", "NUM_EPOCHS")}
    reasons["KEYPOINTDETECT.BOUNDING_BOX_SIZE"] = crop.reason
    reasons |= {f"KEYPOINTDETECT.{name}": batches for name in ("BATCH_SIZE", "NUM_EPOCHS")}
    if cube is not None:
        reasons |= {"HYBRIDNET.ROI_CUBE_SIZE": cube.reason, "HYBRIDNET.GRID_SPACING": "with the size of the cube"}
        reasons["HYBRIDNET.NUM_EPOCHS"] = batches
    facts = [f"{counted(len(config.KEYPOINT_NAMES), 'keypoint')}: {', '.join(config.KEYPOINT_NAMES)}"]
    if config.HYBRIDNET.NUM_CAMERAS is not None:
        facts.append(counted(config.HYBRIDNET.NUM_CAMERAS, "calibrated camera"))
    facts.append(
        counted(crop.images, "labelled image") + ("" if cube is None else f", {counted(cube.framesets, 'frameset')}")
    )
    known = ("BOUNDING_BOX_SIZE", "ROI_CUBE_SIZE", "BATCH_SIZE")
    warnings = tuple(line for line in made.reasons if not line.startswith(known))
    return Plan(RIG, path, config_text(config), reasons, tuple(facts), warnings)


def plan_poses(workspace: Workspace, path: Path, dataset: str, algorithm: str | None = None) -> Plan:
    """The project of labelled images.

    Args:
        workspace: The folders.
        path: Where it would lie.
        dataset: A label file, or a folder with one.
        algorithm: One that is named; None for what is recommended, with the settings that go with it.

    Returns:
        The project.

    Raises:
        InputError: There are no labels, or nothing can be recommended for them.
    """
    found = workspace.resolve(dataset)
    if not found.exists():
        raise InputError(f"{workspace.name(found)}: not there; give a label file, or a folder with one")
    if algorithm is not None:
        return _begun(path, found, algorithm)
    from vitruve.labelling import recommend

    made = recommend(found)
    facts = made.facts
    changes: dict[str, Any] = {"data.data_dir": relative(facts.root, path)}
    if facts.videos is not None:
        changes["data.video_dir"] = relative(facts.videos, path)
    warnings = list(made.notes)
    if any(frame.instances.keypoints.shape[1] > 1 for frame in facts.labels):
        warnings.append(
            "some images show several animals or people: what is recommended is for one of them; take an algorithm "
            "for several, such as lightweight_openpose, in place of it"
        )
    said = (
        f"{counted(facts.labelled, 'labelled frame')} of {facts.size[0]} x {facts.size[1]} px ({facts.format})",
        f"{counted(len(facts.skeleton), 'keypoint')}: {', '.join(facts.skeleton.names)}",
        counted(facts.video_count, "video") if facts.videos is not None else "no unlabelled videos",
    )
    reasons = {setting.key: setting.reason for setting in made.settings}
    return Plan("poses", path, with_values(made.yaml, changes), reasons, said, tuple(warnings))


def relative(target: Path, folder: Path) -> str:
    """A path as a settings file names it, so that both can be moved together.

    Args:
        target: What is named.
        folder: Of the file.

    Returns:
        With slashes.
    """
    return Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix()


def _begun(path: Path, dataset: Path, algorithm: str) -> Plan:
    """The least that a file must say; all else has its default."""
    from vitruve.formats.hub import read_labels, recognise

    format = recognise(dataset).NAME
    labels = read_labels(dataset, format)
    root = labels.root
    changes: dict[str, Any] = {
        "data.data_dir": relative(root, path),
        "data.csv_file": relative(dataset, root),
        "data.label_format": format,
    }
    if (root / "videos").is_dir():
        changes["data.video_dir"] = relative(root / "videos", path)
    changes["model.model_type"] = algorithm
    reasons = {
        "data.csv_file": counted(len(labels), "frame"),
        "data.label_format": "recognised",
        "model.model_type": "chosen",
    }
    points, kinds = counted(len(labels.skeleton), "keypoint"), counted(len(labels.categories), "class")
    said = (f"{counted(len(labels), 'frame')} ({format})", f"{points}, {kinds}")
    return Plan("poses", path, with_values("", changes), reasons, said)


def _below(folder: Path, depth: int, kind: str) -> Iterator[Path]:
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return
    names = {path.name for path in entries}
    annotated = "annotations" in names and any((folder / "annotations").glob("instances_*.json"))
    if kind == RIG:
        if annotated and _CALIBRATIONS in names:
            yield folder
            return
    elif annotated:
        yield folder
        return
    else:
        yield from (path for path in entries if path.is_file() and _is_labels(path))
    if depth:
        for path in entries:
            if path.is_dir() and not path.is_symlink() and path.name not in _SKIPPED:
                yield from _below(path, depth - 1, kind)


def _is_labels(path: Path) -> bool:
    """Whether a file is named as label files are; its content is looked at when it is chosen."""
    if path.suffix == ".csv":
        return path.name.startswith("CollectedData")
    return path.suffix == ".slp" or (
        path.suffix == ".json" and path.stem.startswith(("labels", "instances", "person_"))
    )
