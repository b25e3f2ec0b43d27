"""The page of settings."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest

from app.conftest import shown
from vitruve.app.pages import settings
from vitruve.app.parts.yaml_editor import lines_around
from vitruve.app.place import Place
from vitruve.config.yaml_file import read_yaml


def field(test: AppTest, name: str) -> Any:
    """A field by its label, whatever badge that has."""
    fields = [*test.number_input, *test.text_input, *test.selectbox, *test.multiselect, *test.button_group]
    return next(each for each in fields if each.label.split(" ")[0] == name)


def button(test: AppTest, label: str) -> Any:
    return next(each for each in test.button if each.label.startswith(label))


def section(test: AppTest, name: str) -> AppTest:
    return next(each for each in test.button_group if each.label == "Section").set_value(name).run()


def test_a_value_is_changed_in_the_form_checked_and_saved(place: Place) -> None:
    assert place.project is not None
    before = place.project.config.read_text()
    test = section(shown(settings, place), "training")
    assert button(test, "Save").disabled
    epochs = field(test, "max_epochs")
    assert epochs.value == 44 and "default 300" in epochs.label and epochs.min == 1
    test = epochs.set_value(7).run()
    assert not button(test, "Save").disabled and "not saved" in field(test, "max_epochs").label
    test = field(test, "learning_rate").set_value("fast").run()
    assert "learning_rate='fast': must be a number, more than 0" in test.error[0].value
    assert button(test, "Save").disabled and place.project.config.read_text() == before
    test = field(test, "learning_rate").set_value("5e-4").run()
    assert not test.error
    test = button(test, "Save").click().run()
    assert not test.exception and not test.error
    expected = before.replace("max_epochs: 44", "max_epochs: 7").replace(
        "learning_rate: 0.001", "learning_rate: 0.0005"
    )
    assert place.project.config.read_text() == expected
    assert button(test, "Save").disabled and field(section(test, "training"), "max_epochs").value == 7


def test_the_text_and_the_form_are_one(place: Place) -> None:
    assert place.project is not None
    test = shown(settings, place)
    view = next(each for each in test.button_group if each.label == "Shown as")
    test = view.set_value("YAML").run()
    text = test.text_area[0].value
    assert text == place.project.config.read_text()
    test = test.text_area[0].set_value(text.replace("max_epochs: 44", "max_epochs: [")).run()
    assert "not valid YAML" in test.error[0].value and button(test, "Save").disabled
    assert any("max_epochs: [" in each.value for each in test.code)
    view = next(each for each in test.button_group if each.label == "Shown as")
    test = view.set_value("Form").run()
    assert "mend it under YAML" in test.info[0].value
    view = next(each for each in test.button_group if each.label == "Shown as")
    test = view.set_value("YAML").run()
    test = test.text_area[0].set_value(text.replace("max_epochs: 44", "max_epochs: 9")).run()
    view = next(each for each in test.button_group if each.label == "Shown as")
    test = section(view.set_value("Form").run(), "training")
    assert field(test, "max_epochs").value == 9
    test = button(test, "Discard").click().run()
    assert field(section(test, "training"), "max_epochs").value == 44


def test_somebody_else_is_not_overwritten(place: Place) -> None:
    assert place.project is not None
    path = place.project.config
    test = field(section(shown(settings, place), "training"), "max_epochs").set_value(7).run()
    path.write_text(path.read_text().replace("max_epochs: 44", "max_epochs: 50"))
    test = button(test, "Save").click().run()
    assert read_yaml(path)["training"]["max_epochs"] == 50
    assert any("changed by somebody else" in each.value for each in test.warning) or test.error
    test = button(test.run(), "Load it again").click().run()
    assert field(section(test, "training"), "max_epochs").value == 50


def test_settings_are_found_by_a_word_and_by_what_differs(place: Place) -> None:
    test = shown(settings, place)
    test = field(test, "Find").set_value("confidence").run()
    assert field(test, "confidence_thresh_for_vid").value == "0.9"
    test = field(test, "Find").set_value("no such setting").run()
    assert test.info[0].value == "No setting is like that."
    test = test.toggle[0].set_value(True).run()
    test = field(test, "Find").set_value("").run()
    labels = {each.label.split(" ")[0] for each in [*test.number_input, *test.text_input]}
    assert {"max_epochs", "height", "skeleton"} <= labels and "early_stop_patience" not in labels


def test_the_line_of_an_error() -> None:
    text = "\n".join("abcdefg")
    assert lines_around(text, "config.yaml:2: not valid YAML: x") == "     1  a\n>    2  b\n     3  c\n     4  d"
    assert lines_around(text, "config.yaml: x: y") == "" and lines_around("a", "c.yaml:9: not valid YAML") == ""
