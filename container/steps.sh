#!/bin/sh
# Every step that the image is made of and that it runs, so that each can be run, and is tested, without a container.
#
#   steps.sh install SOURCE PREFIX    install Vitruve from SOURCE into PREFIX/venv, OBDB's programs into PREFIX/code
#   steps.sh check PREFIX             every program starts
#   steps.sh start PREFIX [COMMAND]   TensorBoard for $TRAIN beside a command or, without one, a shell
#
# PYTHON names the interpreter that installs, TRAIN the folder that is kept (/train), TENSORBOARD_PORT its page (6006).
set -eu

fail() {
    echo "steps.sh: $*" >&2
    exit 2
}

install() {
    source=$1
    prefix=$2
    [ -f "$source/pyproject.toml" ] || fail "$source: no Vitruve here; give the folder that holds pyproject.toml"
    mkdir -p "$prefix/code"
    "${PYTHON:-python3}" -m venv "$prefix/venv"
    "$prefix/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$source/constraints.txt" "$source[cvat,mongo,tune]"
    for program in torch_model_runner test_model auto_annotate; do
        cp "$source/scripts/$program.py" "$prefix/code/"
    done
}

check() {
    "$1/venv/bin/vitruve" --version
    for program in "$1"/code/*.py; do
        "$1/venv/bin/python" "$program" --help > /dev/null || fail "$program does not start"
        echo "$program starts"
    done
}

start() {
    prefix=$1
    shift
    train=${TRAIN:-/train}
    mkdir -p "$train" && [ -w "$train" ] || fail "$train: cannot be written to; map a folder there: -v FOLDER:$train"
    PATH=$prefix/venv/bin:$PATH
    export PATH
    tensorboard --logdir "$train" --port "${TENSORBOARD_PORT:-6006}" --bind_all > "$train/tensorboard.log" 2>&1 &
    board=$!
    trap 'kill "$board" 2> /dev/null && wait "$board" || true' EXIT
    cd "$prefix/code"
    [ $# -gt 0 ] || set -- "${SHELL:-/bin/sh}"
    # As the first process of a container it would not pass signals on; and all ends there with it.
    [ $$ -ne 1 ] || exec "$@"
    "$@"
}

step=${1:-}
[ $# -gt 0 ] && shift
case $step in
    install) [ $# -eq 2 ] || fail "install SOURCE PREFIX"; install "$@" ;;
    check) [ $# -eq 1 ] || fail "check PREFIX"; check "$@" ;;
    start) [ $# -ge 1 ] || fail "start PREFIX [COMMAND]"; start "$@" ;;
    *) fail "install, check or start, not '$step'" ;;
esac
