"""What can be named in settings and on the command line."""

from __future__ import annotations

from vitruve.errors import InputError, nearest

_KINDS = ("algorithms", "backbones", "formats", "losses")


def list_available(kind: str, pattern: str | None = None) -> list[tuple[str, str]]:
    """What can be named in settings and on the command line.

    Args:
        kind: ``algorithms``, ``backbones``, ``formats`` or ``losses``.
        pattern: A part of the name.

    Returns:
        Pairs of a name and what it is.

    Raises:
        InputError: There is no such kind.
    """
    rows: list[tuple[str, str]]
    if kind == "algorithms":
        from vitruve.algorithms import registry

        rows = [(name, found.description) for name, found in registry.available().items()]
    elif kind == "backbones":
        from vitruve.networks.backbone import list_backbones

        return list_backbones(pattern)
    elif kind == "formats":
        from vitruve.formats import hub

        rows = [(name, item.DESCRIPTION) for name, item in hub.available().items()]
    elif kind == "losses":
        from vitruve.losses.coordinates import COORDINATE_LOSSES
        from vitruve.losses.heatmap import HEATMAP_LOSSES
        from vitruve.losses.settings import UNSUPERVISED, LossesSettings

        rows = [
            (name, f"{key}: {(function.__doc__ or '').strip().splitlines()[0]}")
            for key, losses in (
                ("model.heatmap_loss_type", HEATMAP_LOSSES),
                ("model.regression_loss_type", COORDINATE_LOSSES),
            )
            for name, function in losses.items()
        ]
        sections = LossesSettings.model_fields
        rows += [(name, f"model.losses_to_use: {sections[name].description}") for name in UNSUPERVISED]
    else:
        raise InputError(f"list {kind}: no such kind{nearest(kind, _KINDS)}; known are {', '.join(_KINDS)}")
    return [row for row in rows if pattern is None or pattern in row[0]]
