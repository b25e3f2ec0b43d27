"""The verbs of projects as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitruve.errors import InputError
from vitruve.project.folder import LATEST, PROJECTS, Project, Stage, projects

if TYPE_CHECKING:
    from vitruve.project.create import Created
    from vitruve.project.training import Mode


def create_project(
    name: str | Path,
    dataset3d: str | Path | None = None,
    dataset2d: str | Path | None = None,
    *,
    folder: str | Path = PROJECTS,
) -> Created:
    """Make a project whose settings are derived from its training set.

    Args:
        name: Its name, or its folder.
        dataset3d: JARVIS' TrainingSet of framesets of calibrated cameras; None for a project of images alone.
        dataset2d: TrainingSet of images; the other one by default.
        folder: Where it is made, where ``name`` is no folder.

    Returns:
        The project, and why its settings are what they are.

    Raises:
        InputError: There is a project already, or a set is not as it should be. Nothing is written then.
    """
    from vitruve.project.create import create

    return create(name, dataset3d, dataset2d, folder)


def list_projects(folder: str | Path = PROJECTS) -> list[Project]:
    """The projects in a folder, by name.

    Args:
        folder: Where projects are; it need not exist.

    Returns:
        The projects.
    """
    return projects(folder)


def train_project(
    project: Project | str | Path,
    what: str = "all",
    *,
    epochs: int | Mapping[str, int] | None = None,
    weights: str | Path | None = None,
    weights_keypoint: str | Path = LATEST,
    weights_center: str | Path = LATEST,
    pretrained: str | Path | None = None,
    mode: Mode = "3D_only",
    finetune: bool = False,
    resume: bool = False,
    overrides: Sequence[str] = (),
    folder: str | Path = PROJECTS,
    quiet: bool = False,
) -> list[Path]:
    """Train one network of a project, or all of them in order; each is an ordinary run in ``models/``.

    Args:
        project: The project, its folder or its name.
        what: ``all``, ``center``, ``keypoint`` or ``hybridnet``.
        epochs: In place of ``NUM_EPOCHS``, of all networks or by name.
        weights: What a single network starts from: ``latest``, a run's name or folder, a weight file, or ``none``.
        weights_keypoint: The run of KeypointDetect that HybridNet is built on, where it is trained alone.
        weights_center: The run of CenterDetect that finds the animal for the others, where they are trained alone.
        pretrained: A folder of networks such as ``models`` of another project, or its name in a folder ``pretrained``.
        mode: What HybridNet learns: ``3D_only``, ``last_layers``, ``bifpn`` or ``all``.
        finetune: Then train all of HybridNet with a tenth of the learning rate; where HybridNet is trained alone, only
            that, from its latest run on.
        resume: Go on with the newest training.
        overrides: Settings of Vitruve that differ, as ``key.sub=value``.
        folder: Where projects are.
        quiet: Show no progress.

    Returns:
        The runs.

    Raises:
        ConfigError: ``config.yaml`` and the training set do not fit, or a setting is wrong. Nothing is trained then.
        InputError: There is no such project or network, or the training set is not as it should be.
        RunError: There are no such weights, or nothing to go on with.
        Interrupted: Ctrl-C; the message says how to go on.
    """
    from vitruve.project.training import MODES, TrainOptions, train

    if mode not in MODES:
        raise InputError(f"mode '{mode}': must be one of {', '.join(MODES)}")
    by_name = epochs if isinstance(epochs, Mapping) else dict.fromkeys(Stage, epochs) if epochs else {}
    options = TrainOptions(
        epochs={Stage.named(name): number for name, number in by_name.items()},
        weights=weights,
        weights_keypoint=weights_keypoint,
        weights_center=weights_center,
        pretrained=pretrained,
        mode=mode,
        finetune=finetune,
        resume=resume,
        overrides=overrides,
        quiet=quiet,
    )
    return train(project if isinstance(project, Project) else Project.open(project, folder), what, options)
