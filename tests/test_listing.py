from __future__ import annotations

import pytest

from vitruve.config.explain import expectation
from vitruve.config.schema import Config
from vitruve.config.table import settings_table
from vitruve.listing import list_available


def test_settings_have_default_range_and_meaning_in_one_line() -> None:
    ((key, text),) = list_available("settings", "training.early_stop_patience")
    assert key == "training.early_stop_patience"
    assert text == "3  (an integer, at least 1)  Validations without improvement before that."
    rows = list_available("settings")
    assert all("\n" not in text for _, text in rows)
    assert len(rows) == len(set(rows))


def test_every_setting_is_there() -> None:
    keys = [key for key, _ in list_available("settings")]
    for key in ("ensemble", "data.image_resize_dims.height", "losses.temporal.epsilon", "eval.fiftyone.port"):
        assert key in keys
    tables = settings_table()
    (single,) = [table for table in tables if not table.name]
    assert [row.key for row in single.rows] == ["ensemble", "resume"]
    assert single.rows[0].expected == expectation(Config.model_fields["ensemble"])


def test_settings_of_one_algorithm_say_so() -> None:
    ((_, text),) = list_available("settings", "model.regression_loss_type")
    assert text.endswith("With model_type regression.")
    ((_, text),) = list_available("settings", "model.heatmap_loss_type")
    assert " or heatmap or heatmap_mhcrnn or " in text and "regression" not in text


@pytest.mark.parametrize("kind", ["algorithms", "formats", "losses", "settings"])
def test_texts_are_plain(kind: str) -> None:
    rows = list_available(kind)
    assert rows and not any("`" in text for _, text in rows)


def test_names_are_found_by_a_part_or_a_pattern() -> None:
    assert {key for key, _ in list_available("settings", "train_*")} == set()
    wanted = {"training.train_batch_size", "training.train_prob", "training.train_frames"}
    assert {key for key, _ in list_available("settings", "training.train_*")} == wanted
    assert wanted <= {key for key, _ in list_available("settings", "train_")}
