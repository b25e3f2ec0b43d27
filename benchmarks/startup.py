"""How long `vitruve --help` takes as a whole process. Bar: 0.3 s."""

from __future__ import annotations

from common import record, timed, vitruve

if __name__ == "__main__":
    seconds = sorted(timed(*vitruve("--help")).seconds for _ in range(11))
    record("startup", {"help_seconds_median": round(seconds[5], 3), "help_seconds_all": [round(s, 3) for s in seconds]})
