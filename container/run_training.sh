#!/bin/sh
# Start the image: TRAIN (./train) is /train in it, DATA (./weed_data) is /weed_data. Pages: localhost:8880, localhost:6006.
# Arguments are the command to run in it, such as: python3 torch_model_runner.py -f /train/settings.json
set -eu
train=${TRAIN:-$PWD/train}
data=${DATA:-$PWD/weed_data}
[ -d "$data" ] || { echo "run_training.sh: $data: no such folder; DATA=FOLDER names that of the images" >&2; exit 2; }
mkdir -p "$train"
terminal=
[ -t 0 ] && terminal=--tty
# shellcheck disable=SC2086  # both are one word or none
exec "${ENGINE:-docker}" run --rm --interactive $terminal ${GPUS:+--gpus=$GPUS} --shm-size 2g \
    --publish 127.0.0.1:8880:8880 --publish 127.0.0.1:6006:6006 \
    --volume "$train:/train" --volume "$data:/weed_data:ro" \
    --env VITRUVE_STORE --env CVAT_ACCESS_TOKEN \
    "${IMAGE:-vitruve-training}" "$@"
