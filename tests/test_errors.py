from __future__ import annotations

import pytest

from vitruve import errors
from vitruve.errors import MissingExtraError, VitruveError, nearest


@pytest.mark.parametrize("name", ["InputError", "ConfigError", "RunError", "TrainingError", "MissingExtraError"])
def test_every_error_is_caught_as_one_kind(name: str) -> None:
    assert issubclass(getattr(errors, name), VitruveError)


def test_nearest_names_the_closest_word_only_when_it_is_close() -> None:
    words = ["max_epochs", "min_epochs", "optimizer"]
    assert nearest("max_epoch", words) == " (did you mean 'max_epochs'?)"
    assert nearest("optimiser", iter(words)) == " (did you mean 'optimizer'?)"
    assert nearest("zebra", words) == ""
    assert nearest("anything", []) == ""


def test_a_missing_extra_says_how_to_install_it() -> None:
    message = str(MissingExtraError("nncf", "int8", "int8 calibration"))
    assert message == "int8 calibration needs nncf: pip install 'vitruve[int8]'"
