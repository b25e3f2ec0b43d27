"""How often parts of a page are drawn."""

from __future__ import annotations

import time

from vitruve.app.parts.live import pace


def test_the_older_something_is_the_seldomer_it_is_looked_at() -> None:
    now = time.time()
    seconds = [pace(now - age) for age in (-5, 0, 30, 120, 300, 1e6)]
    assert seconds[:3] == [2, 2, 2] and seconds[-1] == 10
    assert 3.9 < seconds[3] < 4.1 and seconds == sorted(seconds)
