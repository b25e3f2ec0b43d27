from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def outside_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Installs, as far as Python can tell, a package that brings one algorithm."""

    def install(name: str, target: str) -> None:
        folder = tmp_path / "site" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[vitruve.algorithms]\n{name} = {target}\n")
        monkeypatch.syspath_prepend(folder.parent)
        monkeypatch.syspath_prepend(Path(__file__).parent)

    return install
