"""``python scripts/create_fiftyone_dataset.py eval.hydra_paths=[...] ...``: labels and predictions for FiftyOne."""

import sys

from vitruve.cli.main import guarded
from vitruve.compat.fiftyone_dataset import create_dataset

if __name__ == "__main__":
    guarded(lambda: print("FiftyOne data set:", create_dataset(sys.argv[1:]).name))
