"""``python scripts/torch_model_runner.py -f settings.json``: OBDB's search and training, under its name."""

from vitruve.cli.main import guarded
from vitruve.compat.obdb.torch_model_runner import main

if __name__ == "__main__":
    guarded(main)
