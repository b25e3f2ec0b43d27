"""One database for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_viewer import Viewer, local_viewer


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    with local_viewer(tmp_path_factory.mktemp("viewer")) as found:
        yield found
