"""Prediction of a real video as a whole process: speed, cost of the drawn video, memory against length.

Needs a trained run (benchmarks/train_mirror_mouse.py trains one; any run on that data set will do).
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from statistics import median

import av
from common import mirror_mouse, record, timed, vitruve


def longer(video: Path, target: Path, times: int) -> None:
    """The same packets several times over: a long video without a new encoding."""
    with av.open(str(video)) as first, av.open(str(target), "w") as output:
        stream = output.add_stream_from_template(first.streams.video[0])
        shift = 0
        for _ in range(times):
            end = 0
            with av.open(str(video)) as source:
                for packet in source.demux(source.streams.video[0]):
                    if packet.dts is None:
                        continue
                    packet.pts += shift
                    packet.dts += shift
                    end = max(end, packet.pts + packet.duration)
                    packet.stream = stream
                    output.mux(packet)
            shift = end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer-seconds", type=float, nargs="*", default=[], help="whole-process times of the peer")
    arguments = parser.parse_args()
    video = mirror_mouse() / "videos" / "test_vid.mp4"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def predict(source: Path, *more: str) -> tuple[float, float]:
            target = folder / "out"
            shutil.rmtree(target, ignore_errors=True)
            result = timed(*vitruve("predict", str(arguments.run), str(source), "--output", str(target), *more))
            return result.seconds, result.peak_mib

        first = predict(video)
        plain = [predict(video) for _ in range(arguments.repeat)]
        drawn = [predict(video, "--labeled-video") for _ in range(arguments.repeat)]
        long_video = folder / "long.mp4"
        longer(video, long_video, 10)
        long = predict(long_video)
        report = folder / "bench.json"
        timed(*vitruve("bench", str(arguments.run), "--source", str(video), "--json", str(report)))
        bench = json.loads(report.read_text())
    seconds = median(s for s, _ in plain)
    record(
        "predict_mirror_mouse",
        {
            "frames": 994,
            "first_call_seconds": round(first[0], 1),
            "seconds": [round(s, 2) for s, _ in plain],
            "seconds_with_labeled_video": [round(s, 2) for s, _ in drawn],
            "labeled_video_costs": round(median(s for s, _ in drawn) / seconds - 1, 3),
            "peak_mib_994_frames": round(max(m for _, m in plain)),
            "peak_mib_9940_frames": round(long[1]),
            "seconds_9940_frames": round(long[0], 1),
            "peer_seconds": arguments.peer_seconds,
            "times_faster": [round(peer / seconds, 2) for peer in arguments.peer_seconds],
            "bench": bench,
        },
    )


if __name__ == "__main__":
    main()
