"""``python scripts/auto_annotate.py -p labels.json -v resnet18 -t 0.5``: OBDB's program for CVAT, under its name."""

from vitruve.cli.main import guarded
from vitruve.compat.obdb.auto_annotate import main

if __name__ == "__main__":
    guarded(main)
