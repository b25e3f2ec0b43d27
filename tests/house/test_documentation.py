"""What the documentation shows can be typed: verbs, options, settings and names that exist."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from typer.main import get_command
from typer.testing import CliRunner

import vitruve
from house.sources import ROOT, name
from vitruve.algorithms.base import Task
from vitruve.cli.main import build
from vitruve.config.compose import compose, compose_sweep
from vitruve.config.schema import Config
from vitruve.structures.batch import Batch
from vitruve.structures.instances import Instances
from vitruve.structures.skeleton import Skeleton

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CHEAP = {"list", "--help", "--version"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Page and text of all fenced blocks of a language."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(rf"^( *)```{language}\b[^\n]*\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL):
            yield name(page), found[2]


def commands() -> list[tuple[str, str]]:
    """Page and text of every command in a console block; a backslash at the end of a line continues it."""
    found = []
    for page, text in blocks("console"):
        for line in text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                found.append((page, " ".join(line.split())))
    return found


def test_the_first_screen_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60
    shown = [line for page, line in commands() if page == "README.md"]
    for start in ("make demo", "make test", "pip install", "vitruve train my_project/", "vitruve predict"):
        assert any(line.startswith(start) for line in shown), start


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_can_be_typed(page: str, line: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[0] == "vitruve":
        _check_vitruve(words[1:], tmp_path)
    elif words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert {word for word in words[1:] if "=" not in word} <= set(targets)
    elif words[:2] == ["pip", "install"]:
        for extras in re.findall(r"\[([\w,]+)\]", line):
            assert set(extras.split(",")) <= set(EXTRAS)
        assert all((ROOT / file).is_file() for file in re.findall(r"-c (\S+)", line))
    elif words[0].startswith("container/"):
        assert os.access(ROOT / words[0], os.X_OK)
    elif words[0] == "docker":
        assert (ROOT / words[words.index("-f") + 1]).is_file()
    elif words[0] == "python3":
        assert list((ROOT / "scripts").glob(words[1]))
    else:
        assert words[0] in ("cd", "git", "tensorboard", "pytest", "ruff", "mypy", "lint-imports", "mkdocs", "python")


def _check_vitruve(words: list[str], folder: Path) -> None:
    if words[0] in CHEAP:
        assert CliRunner().invoke(build(), words).exit_code == 0
        return
    verb = get_command(build()).commands[words[0]]  # type: ignore[attr-defined]
    while hasattr(verb, "commands"):  # a group of verbs
        words = words[1:]
        verb = verb.commands[words[0]]
    context = verb.make_context(words[0], list(words[1:]))
    if "arguments" not in context.params:
        return
    words = [word for word in context.params["arguments"] or () if not word.startswith("resume=")]
    overrides = [word for word in words if not word.endswith(".yaml")]
    settings = {word.partition("=")[0]: word.partition("=")[2] for word in overrides}
    # Folders of the reader's own project are not here.
    own = [f"{key}={value}" for key, value in settings.items() if not re.search(r"_dir$|directory$", key)]
    assert compose_sweep(None, None, own) if context.params.get("multirun") else compose(None, None, own)


SETTINGS = [(page, text) for page, text in blocks("yaml") if set(yaml.safe_load(text)) <= set(Config.model_fields)]


@pytest.mark.parametrize(("page", "text"), SETTINGS)
def test_settings_shown_are_settings(page: str, text: str, tmp_path: Path) -> None:
    text = re.sub(r"(data_dir|video_dir|test_videos_directory): .*", rf"\1: {tmp_path}", text)
    (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
    compose(str(tmp_path), "shown", [])


@pytest.mark.parametrize(("page", "text"), list(blocks("python")))
def test_python_shown_names_what_there_is(page: str, text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vitruve"):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "vitruve":
            assert hasattr(vitruve, node.attr), node.attr


def test_links_between_pages_lead_somewhere() -> None:
    lost = [
        f"{name(page)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert lost == []


def test_the_algorithm_of_the_manual_works() -> None:
    text = next(text for page, text in blocks("python") if page == "docs/extending.md")
    module = ModuleType("manual")
    sys.modules["manual"] = module
    try:
        exec(compile(text, "docs/extending.md", "exec", dont_inherit=True), vars(module))
    finally:
        del sys.modules["manual"]
    torch.manual_seed(0)
    task = Task(Skeleton(("nose", "tail")), (64, 64))
    algorithm = module.Mean(module.MeanSettings(backbone="resnet18"), task)
    truth = Instances.from_keypoints(torch.tensor([[[[[20.0, 30.0], [90.0, 60.0]]]]]))
    batch = Batch(torch.zeros(1, 1, 1, 3, 64, 64), torch.diag(torch.tensor([2.0, 2.0, 1.0]))[None, None], truth)
    outputs = algorithm(batch)
    targets = algorithm.encode(batch)
    assert algorithm.loss(outputs, targets)["distance"].requires_grad
    width = outputs["maps"].shape[-1]
    perfect = torch.full((1, 1, 1, 2, width, width), -99.0)
    # 20 and 30 original pixels are 10 and 15 of the input, and so on: the nearest of its cells of 8 pixels.
    perfect[0, 0, 0, 0, 1, 1] = perfect[0, 0, 0, 1, 3, 5] = 99.0
    found = algorithm.decode({"maps": perfect}, batch).keypoints[0, 0, 0]
    assert torch.allclose(found, torch.tensor([[23.0, 23.0], [87.0, 55.0]]))
