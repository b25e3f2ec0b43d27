"""Settings of the section ``model`` that every algorithm shares; its own ``Config`` adds the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool

from vitruve.settings import Section


def _none_is_empty(value: Any) -> Any:
    return () if value is None else value


class ModelSettings(Section):
    """Which algorithm, on which backbone, from which weights."""

    model_type: str = Field(
        default="heatmap", min_length=1, description="Name of the algorithm (`vitruve list algorithms`)."
    )
    model_name: str = Field(
        default="test",
        coerce_numbers_to_str=True,
        min_length=1,
        description="Name of the folder of logs within tb_logs.",
    )
    backbone: str = Field(
        default="resnet50", min_length=1, description="Name of the backbone (`vitruve list backbones`)."
    )
    checkpoint: Path | None = Field(
        default=None,
        description="Run or weight file to start from; parts that do not fit are left at their start values.",
    )
    backbone_checkpoint: Path | None = Field(
        default=None, description="Weight file of the backbone, or run whose backbone it is to start from."
    )
    losses_to_use: Annotated[tuple[str, ...], BeforeValidator(_none_is_empty)] = Field(
        default=(),
        description="Unsupervised terms on unlabelled video (`vitruve list losses`); empty for labels only.",
    )
    do_context: StrictBool | None = Field(
        default=None,
        description="Older files' way to ask for neighbouring frames: true makes model_type heatmap heatmap_mhcrnn; "
        "null to do as the algorithm needs.",
    )
