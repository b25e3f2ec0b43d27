"""Vitruve trains, runs and improves pose models.

The verbs are functions of this package: ``recommend``, ``split``, ``train``, ``load_run``, ``predict``, ``evaluate``,
``convert``, ``bench``, ``calibrate``, ``example``, ``select_frames``, ``smooth``, ``create_boxes``, ``smooth_boxes``,
``crop``, ``remap``, ``track``, ``tune``, ``tune_variants``, ``watch_study``, ``status``, ``list_available``,
``cvat_pull``, ``cvat_push``, ``cvat_create_task``, ``cvat_set_status``, ``store_sync``, ``store_stats``,
``store_import``, ``store_export``, ``store_version``, ``store_diff``, ``store_serve``, ``propose``,
``accept_proposals``, ``upload_labels``, ``upload_xml``, ``change_tasks``, ``complete_tasks``, ``crop_images``,
``create_project``, ``list_projects``,
``train_project``, ``predict_3d``, ``predict_2d``, ``create_videos_3d``, ``create_videos_2d``, ``view_dataset``,
``animate_3d``, ``draw_videos``, ``analyze_validation``, ``plot_error_histogram`` and ``plot_error_per_keypoint``. They
are imported when they are first used, so ``import vitruve`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitruve.api import (
        Evaluation,
        Project,
        Run,
        accept_proposals,
        analyze_validation,
        animate_3d,
        bench,
        calibrate,
        change_tasks,
        complete_tasks,
        convert,
        create_boxes,
        create_fiftyone_dataset,
        create_project,
        create_videos_2d,
        create_videos_3d,
        crop,
        crop_images,
        cvat_create_task,
        cvat_pull,
        cvat_push,
        cvat_set_status,
        draw_videos,
        evaluate,
        example,
        label_next,
        list_available,
        list_projects,
        load_run,
        plot_error_histogram,
        plot_error_per_keypoint,
        predict,
        predict_2d,
        predict_3d,
        propose,
        recommend,
        remap,
        select_frames,
        smooth,
        smooth_boxes,
        split,
        status,
        store_diff,
        store_export,
        store_import,
        store_serve,
        store_stats,
        store_sync,
        store_version,
        track,
        train,
        train_project,
        tune,
        tune_variants,
        upload_labels,
        upload_xml,
        view_dataset,
        watch_study,
    )

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Project",
    "Run",
    "accept_proposals",
    "analyze_validation",
    "animate_3d",
    "bench",
    "calibrate",
    "change_tasks",
    "complete_tasks",
    "convert",
    "create_boxes",
    "create_fiftyone_dataset",
    "create_project",
    "create_videos_2d",
    "create_videos_3d",
    "crop",
    "crop_images",
    "cvat_create_task",
    "cvat_pull",
    "cvat_push",
    "cvat_set_status",
    "draw_videos",
    "evaluate",
    "example",
    "label_next",
    "list_available",
    "list_projects",
    "load_run",
    "plot_error_histogram",
    "plot_error_per_keypoint",
    "predict",
    "predict_2d",
    "predict_3d",
    "propose",
    "recommend",
    "remap",
    "select_frames",
    "smooth",
    "smooth_boxes",
    "split",
    "status",
    "store_diff",
    "store_export",
    "store_import",
    "store_serve",
    "store_stats",
    "store_sync",
    "store_version",
    "track",
    "train",
    "train_project",
    "tune",
    "tune_variants",
    "upload_labels",
    "upload_xml",
    "view_dataset",
    "watch_study",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from vitruve import api

        return getattr(api, name)
    raise AttributeError(f"module 'vitruve' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
