"""The networks of a project, trained one after the other: each is an ordinary run."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import yaml

from vitruve.atomic import atomic_write
from vitruve.config.compose import compose
from vitruve.config.schema import Config
from vitruve.errors import ConfigError, InputError, Interrupted, RunError, nearest
from vitruve.formats.hub import read_labels
from vitruve.pipeline.ensemble import resume_networks, train_networks
from vitruve.project.folder import LATEST, PROJECTS, Project, Stage, is_finished
from vitruve.project.sizes import larger_than
from vitruve.project.stages import stage_settings
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels

_log = logging.getLogger(__name__)

_ALL = "all"

Mode = Literal["3D_only", "last_layers", "bifpn", "all"]
"""What HybridNet can learn; see ``model.mode``."""
_MODES = get_args(Mode)

_RUN_NAME = re.compile(r"Run_[\w.-]+")
_FINETUNED = "-finetune"
_NONE = "none"


@dataclass(frozen=True)
class _Options:
    """How networks are trained, as :func:`train_project` is told."""

    epochs: Mapping[Stage, int]
    weights: str | Path | None
    weights_keypoint: str | Path
    weights_center: str | Path
    pretrained: str | Path | None
    mode: Mode
    finetune: bool
    resume: bool
    overrides: Sequence[str]
    quiet: bool
    run: str | None
    expected: Sequence[Path]


@dataclass(frozen=True)
class _Step:
    stage: Stage
    run: Path
    mode: Mode = "3D_only"
    finetune: bool = False


def train_project(
    project: Project | str | Path,
    what: str = _ALL,
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
    run: str | None = None,
    check: bool = False,
    expected: Sequence[Path] = (),
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
        resume: Go on with the training that ``run`` names, or with the newest.
        overrides: Settings of Vitruve that differ, as ``key.sub=value``.
        folder: Where projects are.
        quiet: Show no progress.
        run: What the runs are called, ``Run_`` and more; by default the time.
        check: Train nothing, only make sure that it can be.
        expected: Absolute folders of runs that need not be finished yet, for a check of what begins after them.

    Returns:
        The runs, also those that were finished before where training goes on.

    Raises:
        ConfigError: ``config.yaml`` and the training set do not fit, or a setting is wrong. Nothing is trained then.
        InputError: There is no such project or network, or the training set is not as it should be.
        RunError: There are no such weights, or nothing to go on with.
        Interrupted: Ctrl-C; the message says how to go on.
    """
    if mode not in _MODES:
        raise InputError(f"mode '{mode}': must be one of {', '.join(_MODES)}")
    by_name = epochs if isinstance(epochs, Mapping) else dict.fromkeys(Stage, epochs) if epochs else {}
    options = _Options(
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
        run=run,
        expected=expected,
    )
    project = project if isinstance(project, Project) else Project.open(project, folder)
    together = what.lower() == _ALL
    if together and options.weights is not None:
        raise InputError("--weights: goes with one network; give --pretrained for all of them")
    steps = _steps(project, None if together else Stage.named(what), options)
    labels = _check(project, {step.stage for step in steps})
    configs = [_config(project, step, steps, options, labels) for step in steps]
    if options.resume and all(is_finished(step.run) for step in steps):
        raise RunError(f"{steps[-1].run}: is finished, so there is nothing to go on with; train without --resume")
    if check:
        return [step.run for step in steps]
    for number, (step, config) in enumerate(zip(steps, configs, strict=True), 1):
        if options.resume and is_finished(step.run):
            continue
        if not options.quiet:
            _log.info("%d of %d: %s", number, len(steps), step.run)
        with _logged(project, step):
            try:
                if options.resume and RunFiles(step.run).status.is_file():
                    _follow_move(RunFiles(step.run), config)
                    resume_networks(step.run, quiet=options.quiet)
                else:
                    train_networks(config, step.run, quiet=options.quiet)
            except Interrupted:
                raise Interrupted(
                    f"stopped; it goes on with: vitruve project train {project.name} {what} --resume"
                ) from None
    return [step.run for step in steps]


def _follow_move(run: RunFiles, config: Config) -> None:
    """Let a run that was begun elsewhere find the set and the runs that have moved with its project."""
    if not run.config.is_file():
        return
    begun = moved = Config.load(run.config)
    for section, key in (("data", "data_dir"), ("crop", "locator"), ("model", "checkpoint")):
        own = getattr(moved, section)
        place = getattr(own, key)
        if place is not None and not place.exists():
            there = own.model_copy(update={key: getattr(getattr(config, section), key)})
            moved = moved.model_copy(update={section: there})
    if moved != begun:
        atomic_write(run.config, moved.to_yaml())


def _steps(project: Project, only: Stage | None, options: _Options) -> list[_Step]:
    """What is trained, in order. All runs of one training have one name."""
    in_space = project.config.DATASET.DATASET_3D is not None
    stages = [only] if only else [stage for stage in Stage if in_space or stage is not Stage.HYBRID]
    name = _newest(project, stages, options.run) if options.resume else options.run or project.new_run_name()
    if not _RUN_NAME.fullmatch(name):
        raise InputError(f"run '{name}': must begin with Run_, and have letters, digits, '-', '_' and '.' only")
    fine = options.finetune and Stage.HYBRID in stages
    if options.finetune and not fine:
        raise InputError("--finetune: is of HybridNet; train all or hybridnet")
    steps = [_Step(stage, project.models(stage) / name, options.mode) for stage in stages]
    if only is Stage.HYBRID and fine:
        steps = []
    if fine:
        steps.append(_Step(Stage.HYBRID, project.models(Stage.HYBRID) / f"{name}{_FINETUNED}", "all", True))
    return steps


def _newest(project: Project, stages: Sequence[Stage], named: str | None) -> str:
    names = [run.name.removesuffix(_FINETUNED) for stage in stages for run in project.runs(stage)]
    if not names or named not in (None, *names):
        called = "" if named is None else f" called {named}"
        raise RunError(f"{project.path}: has no training{called} to go on with; train without --resume")
    return named or max(names)


def _check(project: Project, stages: set[Stage]) -> dict[str, Labels]:
    """The training sets that are needed, compared with ``config.yaml``."""
    config, file = project.config, project.config_file
    found = {}
    for dimensions in ("2D", "3D"):
        if not (stages & {Stage.HYBRID} if dimensions == "3D" else stages - {Stage.HYBRID}):
            continue
        place = project.dataset(dimensions)
        labels = found[dimensions] = read_labels(place, "jarvis")
        count = config.KEYPOINTDETECT.NUM_JOINTS
        if count is not None and count != len(labels.skeleton):
            raise ConfigError(
                f"{file}: KEYPOINTDETECT.NUM_JOINTS={count}, but {place} has {len(labels.skeleton)} keypoints; correct "
                "it, or name the set that the project is for"
            )
        if not {"train", "validation"} <= {frame.split for frame in labels}:
            raise InputError(f"{place}: has no frames of one of train and val; export both splits")
    if "3D" in found:
        _check_space(project, found["3D"])
    return found


def _check_space(project: Project, labels: Labels) -> None:
    file, section = project.config_file, project.config.HYBRIDNET
    if section.NUM_CAMERAS is not None and len(labels.view_names) != section.NUM_CAMERAS:
        raise ConfigError(
            f"{file}: HYBRIDNET.NUM_CAMERAS={section.NUM_CAMERAS}, but {project.dataset('3D')} has "
            f"{len(labels.view_names)} cameras; correct it, or name the set that the project is for"
        )
    if section.ROI_CUBE_SIZE is None or section.GRID_SPACING is None:
        raise ConfigError(
            f"{file}: HYBRIDNET.ROI_CUBE_SIZE, HYBRIDNET.GRID_SPACING: not set; give both, in millimetres"
        )
    larger = larger_than(labels, section.ROI_CUBE_SIZE)
    if larger:
        _log.warning(
            "%s: HYBRIDNET.ROI_CUBE_SIZE=%g: %d of %d framesets are larger (first: %s); points beyond the cube are "
            "not learned",
            *(file, section.ROI_CUBE_SIZE, len(larger), len(labels), larger[0]),
        )


def _config(
    project: Project, step: _Step, steps: Sequence[_Step], options: _Options, labels: Mapping[str, Labels]
) -> Config:
    """The settings of one step. Runs that an earlier step is going to make are named by where they will be."""
    before = {earlier.stage: earlier.run.absolute() for earlier in steps[: steps.index(step)]}
    dimensions: Literal["2D", "3D"] = "3D" if step.stage is Stage.HYBRID else "2D"
    center = None if step.stage is Stage.CENTER else before.get(Stage.CENTER) or _center(project, step.stage, options)
    settings = stage_settings(
        step.stage,
        project.config,
        project.dataset(dimensions),
        views=len(labels[dimensions][0].images),
        epochs=options.epochs.get(step.stage),
        weights=_weights(project, step, before, options),
        center=center,
        mode=step.mode,
        finetune=step.finetune,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{step.stage}.yaml"
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return compose(str(file), None, options.overrides, quiet=not options.overrides).config


def _center(project: Project, stage: Stage, options: _Options) -> Path | None:
    try:
        return _run(project, Stage.CENTER, options.weights_center, options)
    except RunError as error:
        if stage is Stage.HYBRID or options.weights_center != LATEST:
            raise
        _log.warning("%s; KeypointDetect is trained without it and can look at crops alone", error)
        return None


def _weights(project: Project, step: _Step, before: Mapping[Stage, Path], options: _Options) -> Path | None:
    """What a step starts from."""
    if step.stage in before:
        return before[step.stage]
    given = options.weights
    if given is None and step.finetune and options.pretrained is None:
        given = LATEST
    if given is not None and str(given).lower() != _NONE:
        file = Path(given)
        return file.absolute() if file.is_file() else _run(project, step.stage, given, options)
    if step.stage is Stage.HYBRID and Stage.KEYPOINT in before:
        return before[Stage.KEYPOINT]
    if given is None and options.pretrained is not None:
        return _pretrained(project, step.stage, options.pretrained)
    if step.stage is Stage.HYBRID and str(options.weights_keypoint).lower() != _NONE:
        return _run(project, Stage.KEYPOINT, options.weights_keypoint, options)
    return None


def _run(project: Project, stage: Stage, which: str | Path, options: _Options) -> Path:
    """A finished run, or one that is expected to be."""
    return Path(which) if Path(which) in options.expected else project.run(stage, which).absolute()


def _pretrained(project: Project, stage: Stage, name: str | Path) -> Path:
    folders = [Path(name), *(folder / name for folder in project.pretrained)]
    folder = next((path for path in folders if path.is_dir()), None)
    if folder is None:
        known = sorted({path.name for place in project.pretrained for path in place.glob("*/")})
        hint = nearest(str(name), known) or (f"; there are {', '.join(known)}" if known else "")
        raise RunError(f"pretrained '{name}': no such folder, nor in {project.pretrained[0]}{hint}")
    file, run = folder / f"{stage}.safetensors", folder / stage
    found = [file] if file.is_file() else [run] if RunFiles(run).weights.is_file() else []
    found += [path for path in sorted(run.glob("Run_*"), reverse=True) if is_finished(path)]
    if not found:
        raise RunError(f"{folder}: has neither {file.name} nor a finished run in {stage}; give networks of Vitruve")
    return found[0].absolute()


@contextmanager
def _logged(project: Project, step: _Step) -> Iterator[None]:
    """TensorBoard finds the run's logs below the project's ``logs`` while it trains."""
    source = RunFiles(step.run).tensorboard
    shown = project.logs(step.stage) / step.run.name
    shown.parent.mkdir(parents=True, exist_ok=True)
    linked = shown.is_symlink()
    if not linked:
        try:
            shown.symlink_to(os.path.relpath(source, shown.parent), target_is_directory=True)
            linked = True
        except OSError:  # not every file system has links
            pass
    try:
        yield
    finally:
        if not source.is_dir():
            shown.unlink(missing_ok=True)
        elif not linked:
            shutil.copytree(source, shown, dirs_exist_ok=True)
