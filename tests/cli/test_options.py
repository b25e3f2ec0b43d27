"""What several verbs read in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitruve.cli.options import locator_among
from vitruve.errors import ConfigError


def test_a_locator_is_named_as_an_option_or_as_a_setting() -> None:
    video, run = Path("a=b.mp4"), Path("runs/detector")
    assert locator_among([video, Path("locator=runs/detector")], None) == ([video], run)
    assert locator_among([video], run) == ([video], run)
    assert locator_among([video], None) == ([video], None)
    with pytest.raises(ConfigError, match="several locators: runs/detector, other"):
        locator_among([Path("locator=runs/detector")], Path("other"))
