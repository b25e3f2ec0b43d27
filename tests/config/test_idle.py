"""Settings that nothing in a run reads."""

from __future__ import annotations

import pytest

from vitruve.algorithms.base import Needs
from vitruve.config.idle import idle_settings
from vitruve.config.schema import Config


@pytest.mark.parametrize(("needs", "idle"), [(Needs(), 0), (Needs(instances=True), 1), (Needs(classes=True), 1)])
def test_the_size_of_heatmaps_is_for_those_that_have_some(needs: Needs, idle: int) -> None:
    config = Config.model_validate({"data": {"downsample_factor": 3}})
    assert sum("data.downsample_factor" in text for text in idle_settings(config, needs)) == idle
    assert not any("data.downsample_factor" in text for text in idle_settings(Config.model_validate({}), needs))
