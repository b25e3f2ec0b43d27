from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_project import settings, write_project
from vitruve.config.schema import Config
from vitruve.run import RunFiles
from vitruve.training.fit import fit
from vitruve.training.prepare import prepare


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks are quickest on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def train(project: Path, tmp_path: Path) -> Callable[..., RunFiles]:
    """Trains on the project with these settings of the section ``training``."""
    count = 0

    def run(
        *, model: dict[str, Any] | None = None, fit_with: dict[str, Any] | None = None, **training: Any
    ) -> RunFiles:
        nonlocal count
        count += 1
        config = Config.from_mapping(settings(project, model, **training))
        ready = prepare(config)
        files = RunFiles(tmp_path / f"run{count}")
        fit(config, ready, files, quiet=True, **(fit_with or {}))
        return files

    return run
