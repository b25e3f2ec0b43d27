"""Two people at one project: what one has done, the other neither loses nor undoes unseen."""

from __future__ import annotations

import os
import time
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from app.conftest import shown
from app.filled import fill
from vitruve.annotation.proposals.pending import open_pending
from vitruve.app.pages import queue, review, settings, train
from vitruve.app.place import Place
from vitruve.app.reviews import find_reviews
from vitruve.jobs import Job, Jobs


def _button(test: AppTest, label: str) -> Any:
    return next(each for each in test.button if each.label.startswith(label))


def _epochs(test: AppTest, value: int) -> AppTest:
    test = next(each for each in test.button_group if each.label == "Section").set_value("training").run()
    return next(each for each in test.number_input if each.label.startswith("max_epochs")).set_value(value).run()


def test_settings_of_one_are_not_saved_over_by_the_other(place: Place) -> None:
    assert place.project is not None
    first, second = (_epochs(shown(settings, place), value) for value in (7, 9))
    _button(first, "Save").click().run()
    saved = place.project.config.read_text()
    assert "max_epochs: 7" in saved
    # The page of the second has been shown before that.
    second = _button(second, "Save").click().run()
    assert place.project.config.read_text() == saved
    assert any("changed by somebody else" in each.value for each in second.warning)
    assert _button(second, "Save").disabled
    second = _button(second, "Load it again").click().run()
    assert not second.warning and "max_epochs: 7" in place.project.config.read_text()


@pytest.fixture
def handed_in(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs that wait for ever; in the list as any other, and nothing is begun."""
    made: list[Job] = []

    def submit(jobs: Jobs, arguments: Any, folder: Any, *, title: str, about: Any, waits: bool = True) -> Job:
        job = Job(jobs._new_folder(), tuple(arguments), folder, title, dict(about), time.time(), waits)
        job.save()
        job.write("runner", {"pid": os.getpid(), "started": psutil.Process().create_time()})
        made.append(job)
        return job

    monkeypatch.setattr(Jobs, "submit", submit)
    return made


def test_trainings_that_are_begun_at_once_have_folders_of_their_own(place: Place, handed_in: list[Job]) -> None:
    browsers = [shown(train, place), shown(train, place)]
    for browser in browsers:
        next(each for each in browser.button if "epochs into outputs/" in each.label).click().run()
        assert not browser.exception and not browser.error
    runs = [job.about["run"] for job in handed_in]
    assert len(runs) == 2 and len(set(runs)) == 2
    assert len({argument for job in handed_in for argument in job.arguments if argument.startswith("hydra.run")}) == 2


def test_a_job_goes_on_once(place: Place, handed_in: list[Job]) -> None:
    fill(place)
    browsers = [shown(queue, place), shown(queue, place)]
    for browser in browsers:
        next(each for each in browser.button if each.key == "queue:job-000002:on").click().run()
        assert not browser.exception
    assert [job.title for job in handed_in] == ["predict plain"]


def test_a_job_that_the_other_has_removed_is_gone_for_both(place: Place) -> None:
    fill(place)
    browsers = [shown(queue, place), shown(queue, place)]
    for browser in browsers:
        next(each for each in browser.button if each.key == "queue:job-000002:forget").click().run()
        assert not browser.exception and "queue:job-000002:forget" not in {each.key for each in browser.button}
    assert len(place.jobs.all()) == 8


def test_what_one_has_decided_the_other_does_not_decide_as_open(place: Place) -> None:
    assert place.project is not None
    fill(place)
    first, second = shown(review, place), shown(review, place)
    _button(first, "Accept the 1 open: yes").click().run()
    _button(second, "Refuse the 1 open").click().run()
    (folder,) = find_reviews(place.project)
    assert [each.state for each in open_pending(folder).decisions.values()] == ["accepted"]
    assert not [each for each in second.button if each.label.startswith("Refuse the")]
