"""What the fields of the training page stand for: verbs of the command line with their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitruve.errors import InputError
from vitruve.project import Stage

ALL = "all"
AS_SET, RANDOM, PUBLISHED = "as the settings say", "random", "published"
"""What a network can start from, beside a run."""

FINETUNED = "-finetune"
_NAME = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True)
class PosesTraining:
    """The training of one network, or of an ensemble.

    Attributes:
        config: The settings.
        run: The directory of the run.
        epochs: In place of those of the settings; None to leave them.
        weights: :data:`AS_SET`, :data:`RANDOM`, :data:`PUBLISHED`, or the directory of a run.
        networks: In place of ``ensemble``; None to leave it.
        more: Further settings that differ, as ``key.sub=value``.
    """

    config: Path
    run: Path
    epochs: int | None = None
    weights: str = AS_SET
    networks: int | None = None
    more: Sequence[str] = ()

    @property
    def overrides(self) -> list[str]:
        """Settings that differ from the file."""
        found = [] if self.epochs is None else [f"training.max_epochs={self.epochs}"]
        if self.networks is not None:
            found.append(f"ensemble={self.networks}")
        if self.weights in (RANDOM, PUBLISHED):
            found += ["model.checkpoint=null", f"training.backbone_pretrained={str(self.weights == PUBLISHED).lower()}"]
        elif self.weights != AS_SET:
            found += [f"model.checkpoint={quoted(self.weights)}", "training.backbone_pretrained=false"]
        return [*found, *self.more]

    @property
    def arguments(self) -> list[str]:
        """Verb and arguments."""
        return ["train", str(self.config), *self.overrides, f"hydra.run.dir={quoted(self.run)}"]


@dataclass(frozen=True)
class RigTraining:
    """The training of one network of a rig's project, or of all in order.

    Attributes:
        project: Its folder.
        run: What the runs are called.
        what: :data:`ALL`, or the short name of a network.
        epochs: In place of ``NUM_EPOCHS``, by the short names of networks.
        weights: What a single network starts from: ``latest``, a run's folder or ``none``; empty for the default.
        weights_keypoint: The run of KeypointDetect that HybridNet is built on; empty for the latest.
        weights_center: The run of CenterDetect that finds the animal; empty for the latest.
        pretrained: Folder of networks to start from; empty for none.
        mode: What HybridNet learns.
        finetune: Train all of HybridNet at last.
        more: Settings of Vitruve that differ, as ``key.sub=value``.
    """

    project: Path
    run: str
    what: str = ALL
    epochs: Mapping[str, int] = field(default_factory=dict)
    weights: str = ""
    weights_keypoint: str = ""
    weights_center: str = ""
    pretrained: str = ""
    mode: str = "3D_only"
    finetune: bool = False
    more: Sequence[str] = ()

    @property
    def arguments(self) -> list[str]:
        """Verb and arguments."""
        words = ["project", "train", str(self.project), self.what, *self.more, "--run", self.run]
        for stage, number in self.epochs.items():
            if self.what in (ALL, stage):
                words += [f"--epochs-{stage}", str(number)]
        options = {
            "--weights": "" if self.what == ALL else self.weights,
            "--weights-keypoint": self.weights_keypoint if self.what == Stage.HYBRID.short else "",
            "--weights-center": self.weights_center if self.what not in (ALL, Stage.CENTER.short) else "",
            "--pretrained": self.pretrained,
        }
        for option, value in options.items():
            words += [option, value] if value else []
        if self.what in (ALL, Stage.HYBRID.short):
            words += ["--mode", self.mode] * (self.mode != "3D_only") + ["--finetune"] * self.finetune
        return words


def go_on_with(project: Path, stage: str, run: Path) -> list[str]:
    """Verb and arguments with which a run goes on that no job is known of.

    Args:
        project: Folder of its project.
        stage: Its network in a rig's project; empty in others.
        run: The run directory.

    Returns:
        Verb and arguments.
    """
    if not stage:
        return ["train", f"resume={run}"]
    fine = run.name.endswith(FINETUNED)
    name = run.name.removesuffix(FINETUNED)
    words = ["project", "train", str(project), Stage.named(stage).short, "--resume", "--run", name]
    return [*words, "--finetune"] if fine else words


def run_name(text: str) -> str:
    """A name for a run that can be the name of a folder.

    Args:
        text: As somebody typed it.

    Returns:
        The name.

    Raises:
        InputError: It cannot.
    """
    name = text.strip()
    if not _NAME.fullmatch(name):
        raise InputError(
            f"run '{text[:100]}': give letters, digits, '-', '_' and '.', beginning with a letter or digit"
        )
    return name


def settings_lines(text: str) -> list[str]:
    """Settings that somebody typed, one a line.

    Args:
        text: Lines of ``key.sub=value``; empty ones and those that begin with ``#`` do not count.

    Returns:
        The settings.

    Raises:
        InputError: A line is no setting, or is of those that have a field of their own.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    for line in lines:
        key, sign, _ = line.partition("=")
        if not sign or not re.fullmatch(r"[+~]{0,2}\w[\w./@-]*", key):
            raise InputError(f"{line[:100]}: not a setting; write key=value, such as training.train_batch_size=8")
        if key.lstrip("+~").partition(".")[0] in ("hydra", "resume"):
            raise InputError(f"{line[:100]}: says where the run goes, which this page does; leave it out")
    return lines


def quoted(value: str | Path) -> str:
    """Text as Hydra's command line takes it, whatever characters it has."""
    plain = str(value)
    if re.fullmatch(r"[\w/.-]+", plain):
        return plain
    # Of backslashes only those before a quote are special to Hydra.
    text = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), plain)
    return f"'{text}'"
