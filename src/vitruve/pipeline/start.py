"""What a training starts from: a file of settings, the command line alone, or the example."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vitruve.config.compose import Composed, compose, compose_sweep, names_data
from vitruve.errors import ConfigError
from vitruve.example_project import write_example

_EXAMPLE = "mouse"


def settings_of_runs(
    config: str | None, config_name: str | None, overrides: Sequence[str], *, multirun: bool, run_dir: Path | None
) -> list[Composed]:
    """The settings of each run that is to be trained.

    Without a file, overrides that name ``data.data_dir`` are completed by the defaults, and others change the
    example's settings. The example is rendered once they are known to be right.

    Args:
        config: A file, or its folder; None for none.
        config_name: Name of the file in its folder; None for none.
        overrides: ``key=value``.
        multirun: One run for each combination of listed values.
        run_dir: Folder of a single run; None to take the settings' own.

    Returns:
        Settings and folders, in the order in which they are to be trained.

    Raises:
        ConfigError: The file, an override or a setting is not as it should be.
        InputError: The example cannot be written.
    """

    def composed(file: str | None, quiet: bool = False) -> list[Composed]:
        if multirun:
            return compose_sweep(file, config_name, overrides, quiet=quiet)
        return [compose(file, config_name, overrides, quiet=quiet)]

    if config is None and config_name is None and not names_data(overrides):
        with tempfile.TemporaryDirectory() as folder:
            small = write_example(_EXAMPLE, Path(folder) / _EXAMPLE, frames=1, video_frames=1)
            composed(str(small / "config.yaml"), quiet=True)
        config = str(write_example(_EXAMPLE) / "config.yaml")
    made = composed(config)
    if run_dir is None:
        return made
    if len(made) > 1:
        raise ConfigError("run_dir: several runs cannot share one folder; use hydra.sweep.dir")
    return [replace(made[0], run_dir=run_dir)]
