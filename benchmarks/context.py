"""What the frames before and after are good for: ``heatmap_mhcrnn`` against ``heatmap``, same budget, several seeds.

Rendered recordings with clutter and leaves that fly past; 30 labelled frames, tested on recordings of their own. The
budget is the number of epochs, or with ``--equal-images`` that of images that go through the network: five a label
with context, so ``heatmap`` gets five times the epochs. Figure: the context model has the lower error on frames with a
hidden keypoint in at least 4 of 5 seeds.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

from common import Timed, by_seed, parser_of_seeds, record, workplace
from rendered import judge, project, train

# Images of each labelled frame that go through the network.
MODELS = {"heatmap": 1, "heatmap_mhcrnn": 5}


def main() -> None:
    parser = parser_of_seeds(__doc__, "context", [0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=100, help="of the context model")
    parser.add_argument("--equal-images", action="store_true")
    arguments = parser.parse_args()

    def learn(data: Path, run: Path, seed: int, model: str) -> Timed:
        times = MODELS["heatmap_mhcrnn"] // MODELS[model] if arguments.equal_images else 1
        budget = (f"model.model_type={model}", f"training.max_epochs={arguments.epochs * times}")
        return train(data, run, seed, *budget, *arguments.overrides)

    with workplace(arguments.folder) as folder:
        runs = by_seed(folder, arguments.seeds, MODELS, project, learn, judge)
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
