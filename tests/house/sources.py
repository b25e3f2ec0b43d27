"""The files that the house rules are about."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import vitruve

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "vitruve"
_FOLDERS = ("src", "tests", "benchmarks", "scripts", "docs", ".ci")
_TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".html", ".css", ".cfg", ""}


def package_files() -> list[Path]:
    """The modules of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def python_files() -> list[Path]:
    """All Python files of the repository."""
    return sorted(path for folder in _FOLDERS for path in (ROOT / folder).rglob("*.py"))


def text_files() -> list[Path]:
    """All files of the repository that people read."""
    top = [path for path in ROOT.iterdir() if path.is_file()]
    below = [path for folder in _FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in [*top, *below] if path.suffix in _TEXT and "egg-info" not in str(path))


def name(path: Path) -> str:
    """A file as it is called in the repository."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules() -> list[ModuleType]:
    """Every module of the package, imported."""
    found = pkgutil.walk_packages(vitruve.__path__, "vitruve.")
    return [vitruve, *(importlib.import_module(item.name) for item in found)]


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with the package, in a process of its own."""
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
