"""Where networks run."""

from __future__ import annotations

import torch

from vitruve.errors import ConfigError


def pick_device(wanted: str, key: str) -> str:
    """The device to work on.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        key: The setting that asks for it, for the message.

    Returns:
        ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ConfigError: The device that was asked for is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[wanted]:
        there = ", ".join(name for name, here in present.items() if here)
        raise ConfigError(f"{key}={wanted}: this machine has none; it has {there}")
    return wanted
