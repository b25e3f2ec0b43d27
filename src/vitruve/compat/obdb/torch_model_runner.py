"""``torch_model_runner.py``: searches for settings and trains, as OBDB's settings file says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from vitruve import api
from vitruve.errors import InputError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program.

    Args:
        arguments: Of the command line; None for those of this process.

    Raises:
        VitruveError: The settings or the data are not as they should be.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-f", "--file", default="settings_file.json", type=Path, help="settings, as JSON")
    parser.add_argument(
        "-l", "--task_list", default="annotations_list", help="key of the list of tasks in the settings"
    )
    parser.add_argument("--no_training", action="store_true", help="only search for settings")
    parser.add_argument("-t", "--train_pickle", type=Path, help="not read: a pickle can run any code")
    parser.add_argument("-v", "--val_pickle", type=Path, help="not read: a pickle can run any code")
    parser.add_argument("-m", "--make_dataset", action="store_true", help="no effect: the data are always made anew")
    parser.add_argument("--store", help="address of the annotation store")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of Vitruve that differ")
    given = parser.parse_args(arguments)
    for pickle in (given.train_pickle, given.val_pickle):
        if pickle is not None:
            raise InputError(
                f"{pickle}: a pickle can run any code, so none is read; leave it out to take the tasks from the store, "
                "or give labels: data.data_dir=FOLDER data.csv_file=FILE"
            )
    done = api.tune_variants(
        given.file, given.overrides, store=given.store, task_list=given.task_list, train=not given.no_training
    )
    for each in done:
        print(f"{each.variant}: {each.run or each.settings}")
