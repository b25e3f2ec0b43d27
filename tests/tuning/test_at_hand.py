"""Which trial a search says it is at."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from vitruve.jobs.progress import Progress, Report
from vitruve.tuning.search import _Search


def test_a_trial_that_has_ended_is_no_longer_at_hand(tmp_path: Path) -> None:
    search = object.__new__(_Search)
    search._telling, search._at_hand = threading.Lock(), {}
    search._report = Report(tmp_path / "progress.json", Progress("Trials done", 0, 2, 0, 0.0, 0.0))

    def said() -> list[object]:
        search._report.write()
        record = json.loads((tmp_path / "progress.json").read_text())
        return [record["part"], record["part_title"]]

    search._tell(1, (0.1, "trial 1"))
    assert said() == [0.1, "trial 1"]
    search._tell(0, (0.5, "trial 0"))
    assert said() == [0.5, "trial 0"]
    search._tell(0, None)
    assert said() == [0.1, "trial 1"]
    search._tell(1, None)
    search._tell(2, None)
    assert said() == [None, ""] and not search._at_hand
