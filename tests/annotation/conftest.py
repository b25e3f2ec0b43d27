"""A server to talk to, and a task with one of everything."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from annotation.cvat_standin import StandIn
from vitruve.annotation.cvat.server import CvatServer


def png(width: int = 40, height: int = 30, grey: int = 90) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (grey, grey, grey)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    """A server that stands in for CVAT, with an empty share."""
    share = tmp_path / "share"
    share.mkdir()
    with StandIn(share) as server:
        yield server


@pytest.fixture
def server(standin: StandIn) -> CvatServer:
    """A client of it that does not wait long."""
    return CvatServer.connect(standin.url, standin.token, pause=0.01, timeout=5)
