#!/bin/sh
# Build the image that run_training.sh starts. Further arguments go to docker build.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
exec "${ENGINE:-docker}" build --tag "${IMAGE:-vitruve-training}" --file "$here/container/Dockerfile" "$@" "$here"
