"""``python scripts/test_model.py -f settings.json``: how well a trained network finds each class, under OBDB's name."""

from vitruve.cli.main import guarded
from vitruve.compat.obdb.test_model import main

if __name__ == "__main__":
    guarded(main)
