"""The page: what it shows, what it stops, and whom it listens to."""

from __future__ import annotations

import json
import math
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuning.searches import RATE, post, shared, state
from vitruve.tuning.page import StudyPage
from vitruve.tuning.report import render_study, study_state
from vitruve.tuning.study import SharedStudy


@pytest.fixture
def study(tmp_path: Path) -> SharedStudy:
    """Four complete trials, and one that runs."""
    made = shared(tmp_path)
    for value in (4.0, 2.0, 3.0, 5.0):
        trial = made.study.ask()
        made.space.suggest(trial)
        made.begin(trial, tmp_path / "run")
        trial.report(value + 1, 0)
        trial.report(value, 1)
        made.study.tell(trial, value)
    trial = made.study.ask()
    made.space.suggest(trial)
    made.begin(trial, tmp_path / "run")
    trial.report(math.nan, 0)
    return made


@pytest.fixture
def page(study: SharedStudy) -> Iterator[StudyPage]:
    with StudyPage(study, 16, 0) as served:
        yield served


def test_it_shows_all_trials(page: StudyPage) -> None:
    shown = state(page.address)
    assert [each["state"] for each in shown["trials"]] == ["complete"] * 4 + ["running"]
    assert (shown["best"], shown["done"], shown["running"], shown["max_trials"]) == (1, 4, 1, 16)
    assert shown["trials"][1]["curve"] == [[1, 3.0], [2, 2.0]]
    assert shown["trials"][4]["curve"] == []
    assert shown["importances"] == {RATE: pytest.approx(1.0)}


def test_its_button_stops_a_running_trial(page: StudyPage, study: SharedStudy) -> None:
    status, text = post(page.address, "stop/4")
    assert (status, text) == (202, "trial 4 ends after the batch at hand")
    assert study.stopped(study.trials()[4])
    assert state(page.address)["trials"][4]["stopping"]
    assert post(page.address, "stop/1")[0] == 409
    assert post(page.address, "stop/x")[0] == 404
    assert study.halted() == 0
    assert post(page.address, "stop")[0] == 202
    assert study.halted() == 1


@pytest.mark.parametrize("headers", [{"Origin": "http://elsewhere.example"}, {"Host": "elsewhere.example"}])
def test_pages_from_elsewhere_cannot_stop_anything(
    page: StudyPage, study: SharedStudy, headers: dict[str, str]
) -> None:
    assert post(page.address, "stop/4", **headers)[0] == 403
    assert not study.stopped(study.trials()[4])


def test_a_port_that_is_taken_leads_to_the_next(study: SharedStudy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        if port >= 9990:
            port = next(free for free in range(8880, 9990) if _free(free))
            other.close()
            other = socket.create_server(("127.0.0.1", port))
        with StudyPage(study, 16, port) as page, other:
            assert page.port > port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_page_needs_no_other_file_and_holds_no_markup_of_others(study: SharedStudy) -> None:
    study.say(study.trials()[4], "</script><script>alert(1)</script>")
    html = render_study(study_state(study, 16))
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    assert html.count("</script>") == 1
    data = re.search(r"const GIVEN = (.*), live = false;\n", html)
    assert data
    assert json.loads(data[1].replace("<\\/", "</"))["trials"][1]["value"] == 2.0


def test_listens_where_a_container_says(study: SharedStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRUVE_PAGE_HOST", "127.0.0.2")
    with StudyPage(study, 3, 0) as page, socket.socket() as there, socket.socket() as here:
        assert there.connect_ex(("127.0.0.2", page.port)) == 0
        assert here.connect_ex(("127.0.0.1", page.port)) != 0
