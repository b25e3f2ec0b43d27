"""The public face: what ``import vitruve`` offers, and nothing by accident."""

from __future__ import annotations

import inspect
import typing

import pytest

import vitruve

OFFERED = {
    "train",
    "load_run",
    "predict",
    "predict_3d",
    "predict_2d",
    "create_videos_3d",
    "create_videos_2d",
    "evaluate",
    "convert",
    "create_fiftyone_dataset",
    "bench",
    "calibrate",
    "example",
    "list_available",
    "recommend",
    "select_frames",
    "label_next",
    "split",
    "smooth",
    "create_boxes",
    "smooth_boxes",
    "crop",
    "remap",
    "status",
    "store_diff",
    "store_export",
    "store_import",
    "store_serve",
    "store_stats",
    "store_sync",
    "store_version",
    "propose",
    "accept_proposals",
    "upload_labels",
    "upload_xml",
    "change_tasks",
    "complete_tasks",
    "crop_images",
    "track",
    "tune",
    "tune_variants",
    "watch_study",
    "create_project",
    "cvat_create_task",
    "cvat_pull",
    "cvat_push",
    "cvat_set_status",
    "list_projects",
    "train_project",
    "analyze_validation",
    "animate_3d",
    "draw_videos",
    "plot_error_histogram",
    "plot_error_per_keypoint",
    "view_dataset",
    "Evaluation",
    "Project",
    "Run",
}


def test_exactly_these_names_are_offered() -> None:
    assert set(vitruve.__all__) == OFFERED
    assert set(dir(vitruve)) == {*OFFERED, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="predikt"):
        _ = vitruve.predikt  # type: ignore[attr-defined]


@pytest.mark.parametrize("offered", sorted(OFFERED))
def test_what_is_offered_is_typed_and_documented(offered: str) -> None:
    value = getattr(vitruve, offered)
    text = inspect.getdoc(value)
    assert text
    if inspect.isfunction(value):
        function = inspect.unwrap(value)
        parameters = inspect.signature(function).parameters
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters.values())
        assert "return" in typing.cast("dict[str, object]", function.__annotations__)
        assert all(f"{parameter}:" in text for parameter in parameters)
