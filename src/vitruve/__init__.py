"""Vitruve trains, runs and improves pose models.

The verbs are functions of this package: ``recommend``, ``train``, ``load_run``, ``predict``, ``evaluate``, ``convert``,
``bench``, ``calibrate``, ``example``, ``select_frames``, ``smooth``, ``create_boxes``, ``smooth_boxes``, ``crop``,
``remap``, ``status`` and ``list_available``. They are imported when they are first used, so
``import vitruve`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitruve.api import (
        Evaluation,
        Run,
        bench,
        calibrate,
        convert,
        create_boxes,
        create_fiftyone_dataset,
        crop,
        evaluate,
        example,
        list_available,
        load_run,
        predict,
        recommend,
        remap,
        select_frames,
        smooth,
        smooth_boxes,
        status,
        train,
    )

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Run",
    "bench",
    "calibrate",
    "convert",
    "create_boxes",
    "create_fiftyone_dataset",
    "crop",
    "evaluate",
    "example",
    "list_available",
    "load_run",
    "predict",
    "recommend",
    "remap",
    "select_frames",
    "smooth",
    "smooth_boxes",
    "status",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from vitruve import api

        return getattr(api, name)
    raise AttributeError(f"module 'vitruve' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
