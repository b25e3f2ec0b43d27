"""Settings of tiles: parts of a large image that are looked at one by one."""

from __future__ import annotations

from pydantic import Field, StrictBool, StrictFloat, StrictInt

from vitruve.settings import Section


class TileSettings(Section):
    """Overlapping parts of large images, in which small objects keep their size."""

    size: StrictInt = Field(default=640, ge=64, description="Side of a tile in pixels of the image.")
    overlap: StrictFloat = Field(
        default=0.2,
        ge=0,
        lt=0.9,
        description="Share of its side by which a tile overlaps the next; more than the usual object needs.",
    )
    whole: StrictBool = Field(
        default=True, description="Also look at the whole image, for objects that are larger than the overlap."
    )
    empty: StrictFloat = Field(
        default=0.1, ge=0, le=1, description="Share of the tiles without any object that training keeps."
    )
