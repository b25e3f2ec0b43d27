"""What unlabelled video is good for: learning from it against labels alone, same steps, several seeds.

``rendered``: rendered recordings with clutter and occlusion, 30 labelled frames, 10 unlabelled videos, tested on other
recordings, and on the other frames of the videos. Figure: temporal + pca_singleview has the lower test error in at
least 4 of 5 seeds.
``mirror_mouse``: PCA errors and temporal norm of the predictions on its video fall by 20 % or more with all three
terms, and the pixel error on test frames does not rise.
``step``: time of a step that learns from both, against the sum of one that learns from labels and one from video.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import pandas as pd
from common import Timed, by_seed, mirror_mouse, parser_of_seeds, record, timed, vitruve, workplace
from rendered import judge, project, train

WAYS = ("supervised", "semi_supervised")
# Weights for the supervised loss kl, which is some nats where Lightning Pose's is some hundredths.
TERMS = (
    "callbacks.anneal_weight.init_val=0.0",
    "callbacks.anneal_weight.increase_factor=0.1",
    "losses.temporal.prob_threshold=0.05",
)


def terms(names: str, log_weight: float, freeze: int) -> tuple[str, ...]:
    """Overrides that switch unsupervised losses on."""
    weights = tuple(f"losses.{name}.log_weight={log_weight}" for name in names.split(","))
    return (f"model.losses_to_use=[{names}]", *weights, f"callbacks.anneal_weight.freeze_until_epoch={freeze}", *TERMS)


def rendered(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Errors of both ways, seed by seed."""

    def learn(data: Path, run: Path, seed: int, way: str) -> Timed:
        more = (f"training.max_steps={arguments.steps}", "training.max_epochs=null", *arguments.overrides)
        if way == "semi_supervised":
            more += ("dali.base.train.sequence_length=16", "dali.base.train.windows=2", "losses.temporal.epsilon=4.0")
            more += terms("temporal,pca_singleview", arguments.log_weight, arguments.freeze)
        return train(data, run, seed, *more)

    runs = by_seed(folder, arguments.seeds, WAYS, project, learn, judge)
    return {
        **summary(runs, ("all_px", "videos_px", "occluded_frames_px", "seen_px", "median_px", "seconds")),
        "runs": runs,
    }


def summary(runs: dict[int, dict[str, dict[str, float]]], keys: tuple[str, ...]) -> dict[str, Any]:
    """Means, spreads, and in how many seeds the error fell."""
    values = {way: {key: [run[way][key] for run in runs.values()] for key in keys} for way in WAYS}
    lower = {
        key: sum(run["semi_supervised"][key] < run["supervised"][key] for run in runs.values()) for key in keys[:2]
    }
    return {
        "mean": {way: {key: round(mean(v), 3) for key, v in each.items()} for way, each in values.items()},
        "spread": {
            way: {key: round(stdev(v), 3) for key, v in each.items() if len(v) > 1} for way, each in values.items()
        },
        "semi_supervised_lower": {key: f"{count} of {len(runs)}" for key, count in lower.items()},
    }


def real(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Label-free errors on the video and pixel errors on test frames, seed by seed."""
    top, bottom = [0, 1, 2, 3, 4, 5, 6], [8, 9, 10, 11, 12, 13, 14]
    columns = ",".join(map(str, top + bottom))

    def learn(data: Path, run: Path, seed: int, way: str) -> Timed:
        more = (f"training.max_steps={arguments.steps}", "training.max_epochs=null", *arguments.overrides)
        if way == "semi_supervised":
            more += ("dali.base.train.sequence_length=16",)
            more += terms("temporal,pca_singleview,pca_multiview", arguments.log_weight, arguments.freeze)
        return timed(
            *vitruve(
                *("train", "--config-path", str(Path(__file__).parent), "--config-name", "mirror_mouse.yaml"),
                *(f"data.data_dir={data}", f"data.video_dir={data / 'videos'}", f"hydra.run.dir={run}"),
                *(f"training.rng_seed_data_pt={seed}", f"training.rng_seed_model_pt={seed}"),
                *("training.train_batch_size=8", "training.train_prob=0.8", "training.val_prob=0.1"),
                *("training.backbone_pretrained=false", "inference.runtime=torch_bf16"),
                f"data.columns_for_singleview_pca=[{columns}]",
                f"data.mirrored_column_matches=[{top},{bottom}]".replace(" ", ""),
                *more,
            )
        )

    mouse = folder / "mouse"
    runs = by_seed(mouse, arguments.seeds, WAYS, lambda *_: mirror_mouse(), learn, lambda run, _: label_free(run))
    kinds = ("test_px", "temporal_norm", "pca_singleview_error", "pca_multiview_error", "seconds")
    found = summary(runs, kinds)
    means = found["mean"]
    fall = {k: round(1 - means["semi_supervised"][k] / means["supervised"][k], 3) for k in kinds[1:4]}
    return {**found, "fall": fall, "runs": runs}


def label_free(run: Path) -> dict[str, float]:
    """Means over frames and keypoints, in pixels."""
    errors = pd.read_csv(run / "predictions_pixel_error.csv", index_col=0)
    test = errors[errors["set"] == "test"].drop(columns="set").stack().mean()
    video = run / "video_preds"
    kinds = ("temporal_norm", "pca_singleview_error", "pca_multiview_error")
    tables = {kind: pd.read_csv(video / f"test_vid_{kind}.csv", index_col=0) for kind in kinds}
    return {"test_px": round(float(test), 3), **{k: round(float(t.stack().mean()), 3) for k, t in tables.items()}}


def repeat_loader(make: Callable[[], Iterable[Any]]) -> Iterator[Iterable[Any]]:
    """The same epoch over and over."""
    while True:
        yield make()


def step(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Milliseconds of a step, medians, in turns within one process."""
    import torch

    from vitruve.config.schema import Config
    from vitruve.structures.batch import TrainingBatch
    from vitruve.training.assemble import assemble
    from vitruve.training.prepare import prepare

    data = mirror_mouse()
    config = Config.from_mapping(
        {
            "data": {
                "data_dir": str(data),
                "video_dir": str(data / "videos"),
                "image_resize_dims": {"height": 256, "width": 256},
            },
            "training": {"train_batch_size": 8, "train_prob": 0.8, "val_prob": 0.1, "backbone_pretrained": False},
            "model": {"backbone": "resnet18", "losses_to_use": ["temporal"]},
            "callbacks": {"anneal_weight": {"init_val": 1.0}},
        }
    )
    parts = assemble(config, prepare(config))
    module, loader = parts.module, chain.from_iterable(repeat_loader(parts.train_loader))
    module.log = lambda *values, **more: None
    module._batches_before = lambda: 0
    optimizer = torch.optim.AdamW(module.algorithm.parameters(), 1e-4, fused=True)
    times: dict[str, list[float]] = {"labelled": [], "unlabelled": [], "both": []}
    assert module._terms is not None

    def learn(loss: Any) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for number in range(arguments.repeat):
        for kind in times:
            began = time.perf_counter()
            batch: TrainingBatch = next(loader)
            drawn = time.perf_counter() - began
            with torch.autocast("cpu", torch.bfloat16):
                began = time.perf_counter()
                if kind == "unlabelled":
                    assert batch.unlabelled is not None
                    changed = module._changed(batch.unlabelled, torch.Generator())
                    values = module._terms(module.algorithm, changed)
                    loss = torch.stack([value * weight for value, weight in values.values()]).sum()
                else:
                    labelled = TrainingBatch(batch.labelled, batch.unlabelled if kind == "both" else None)
                    loss = module.training_step(labelled, number)
            learn(loss)
            # A labelled batch alone would not have decoded the video that came with it.
            times[kind].append(time.perf_counter() - began + (drawn if kind != "labelled" else 0.0))
    middle = {kind: round(1000 * median(values[1:]), 1) for kind, values in times.items()}
    return {"milliseconds": middle, "ratio": round(middle["both"] / (middle["labelled"] + middle["unlabelled"]), 3)}


def main() -> None:
    parser = parser_of_seeds(__doc__, None, [0, 1, 2, 3, 4], what=("rendered", "mirror_mouse", "step"))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--freeze", type=int, default=10, help="epochs before the terms count")
    parser.add_argument("--log-weight", type=float, default=3.0)
    parser.add_argument("--repeat", type=int, default=12)
    arguments = parser.parse_args()
    work = {"rendered": rendered, "mirror_mouse": real, "step": step}[arguments.what]
    with workplace(arguments.folder) as folder:
        found = work(arguments, folder)
    made = {key: value for key, value in vars(arguments).items() if key not in ("folder", "name", "what")}
    print(json.dumps(found, indent=1))
    record(arguments.name or f"semi_supervised_{arguments.what}", {"arguments": made, **found})


if __name__ == "__main__":
    main()
