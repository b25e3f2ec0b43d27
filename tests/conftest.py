"""What all tests share: checked array shapes, one thread a worker, and the place of the real data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Read by OpenMP, BLAS and OpenCV when they are loaded: workers side by side would fight for the same cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ.setdefault(name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import jaxtyping
import pytest

# The hook finds the checker by name, and must be there before any module of the package is loaded.
sys.path.insert(0, str(Path(__file__).parent))
jaxtyping.install_import_hook("vitruve", "array_shapes.check")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings; VITRUVE_DATA, or shared/data beside the repository."""
    place = Path(os.environ.get("VITRUVE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"the real recordings are not here ({place}); set VITRUVE_DATA to their folder")
    return place
