"""``python scripts/predict_new_vids.py eval.hydra_paths=[...] ...``: several models on the videos of a folder."""

import sys

from vitruve.cli.main import guarded
from vitruve.compat.lightning_pose import predict_new_videos

if __name__ == "__main__":
    guarded(lambda: print(*predict_new_videos(sys.argv[1:]), sep="\n"))
