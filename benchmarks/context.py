"""What the frames before and after are good for: ``heatmap_mhcrnn`` against ``heatmap``, same budget, several seeds.

Rendered recordings with clutter and leaves that fly past; 30 labelled frames, tested on recordings of their own. The
budget is the number of epochs, or with ``--equal-images`` that of images that go through the network: five a label
with context, so ``heatmap`` gets five times the epochs. Figure: the context model has the lower error on frames with a
hidden keypoint in at least 4 of 5 seeds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import mean, stdev

from common import record
from rendered import judge, project, train

# Images of each labelled frame that go through the network.
MODELS = {"heatmap": 1, "heatmap_mhcrnn": 5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=100, help="of the context model")
    parser.add_argument("--equal-images", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep projects and runs here")
    parser.add_argument("--name", default="context")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    runs: dict[int, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for seed in arguments.seeds:
            data, runs[seed] = project(folder, seed), {}
            for model, images in MODELS.items():
                run = folder / f"seed{seed}_{model}"
                times = MODELS["heatmap_mhcrnn"] // images if arguments.equal_images else 1
                epochs = arguments.epochs * times
                budget = (f"model.model_type={model}", f"training.max_epochs={epochs}")
                done = train(data, run, seed, *budget, *arguments.overrides)
                runs[seed][model] = {**judge(run, data), "seconds": round(done.seconds, 1)}
                print(seed, model, runs[seed][model], flush=True)
    keys = ("all_px", "occluded_frames_px", "hidden_px", "seen_px", "median_px", "seconds")
    figures = {model: {key: [run[model][key] for run in runs.values()] for key in keys} for model in MODELS}
    pairs = zip(*(figures[model]["occluded_frames_px"] for model in reversed(MODELS)), strict=True)
    record(
        arguments.name,
        {
            "epochs": arguments.epochs,
            "equal_images": arguments.equal_images,
            "overrides": arguments.overrides,
            "runs": runs,
            "mean": {model: {key: round(mean(v), 3) for key, v in each.items()} for model, each in figures.items()},
            "spread": {
                model: {key: round(stdev(v), 3) if len(v) > 1 else None for key, v in each.items()}
                for model, each in figures.items()
            },
            "context_lower_on_occluded_frames": f"{sum(a < b for a, b in pairs)} of {len(runs)}",
        },
    )


if __name__ == "__main__":
    main()
