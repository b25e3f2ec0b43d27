"""``python scripts/train_hydra.py ...``: the same as ``vitruve train ...``, under the name Lightning Pose gives it."""

import sys

from vitruve.cli.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
