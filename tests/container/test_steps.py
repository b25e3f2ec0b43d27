"""The steps of the container's image, run by themselves in an empty environment."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "container" / "steps.sh"
ASKS = """
import sys, time, urllib.request
for _ in range(300):
    try:
        page = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", timeout=5)
    except OSError:
        time.sleep(0.2)
    else:
        print("TensorBoard" in page.read().decode(), end="")
        break
"""


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    empty = {"PATH": os.defpath, "HOME": "/nonexistent"}
    return subprocess.run(
        ["/bin/sh", str(STEPS), *map(str, arguments)], env=empty | environment, text=True, capture_output=True
    )


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """What ``install`` makes, and the environment it was made in: what Vitruve depends on is taken from the tests'."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("prefix")
    for name in ("src", "scripts", "container", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        where = ROOT / name
        if where.is_dir():
            shutil.copytree(where, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(where, source)
    libraries = sysconfig.get_path("purelib")
    environment = {
        "PYTHON": sys.executable,
        "PYTHONPATH": libraries,
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
    }
    done = run("install", source, made, **environment)
    assert done.returncode == 0, done.stderr
    return made, environment


def test_programs_of_an_installed_image_start(prefix: tuple[Path, dict[str, str]]) -> None:
    made, environment = prefix
    done = run("check", made, **environment)
    assert done.returncode == 0, done.stderr
    for program in ("torch_model_runner", "test_model", "auto_annotate"):
        assert f"{program}.py starts" in done.stdout


def test_tensorboard_runs_as_long_as_the_command(prefix: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    made, environment = prefix
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"TRAIN": str(tmp_path / "train"), "TENSORBOARD_PORT": str(port)}
    # TensorBoard is a program of the environment that the dependencies are taken from.
    (made / "venv" / "bin" / "tensorboard").write_text(
        f'#!/bin/sh\nexec {made}/venv/bin/python -m tensorboard.main "$@"\n'
    )
    (made / "venv" / "bin" / "tensorboard").chmod(0o755)
    done = run("start", made, "python", "-c", ASKS, str(port), **environment | own)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True"
    assert (tmp_path / "train" / "tensorboard.log").is_file()
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", port)) != 0


def test_what_the_command_ends_with_is_what_the_step_ends_with(
    prefix: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    made, environment = prefix
    done = run("start", made, "sh", "-c", "exit 7", TRAIN=str(tmp_path), **environment)
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "install, check or start"),
        (("build",), "not 'build'"),
        (("install", "only-one"), "install SOURCE PREFIX"),
        (("install", "/nonexistent", "/nonexistent"), "no Vitruve here"),
    ],
)
def test_wrong_steps_are_told_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["steps.sh", "build_training.sh", "run_training.sh"])
def test_scripts_are_shell(script: str) -> None:
    assert subprocess.run(["/bin/sh", "-n", str(STEPS.with_name(script))]).returncode == 0


def test_run_maps_folders_and_ports(tmp_path: Path) -> None:
    """What an engine is asked for, told by a stand-in that prints its arguments."""
    engine = tmp_path / "engine"
    engine.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    engine.chmod(0o755)
    (tmp_path / "weeds").mkdir()
    environment = {
        "PATH": os.defpath,
        "ENGINE": str(engine),
        "TRAIN": str(tmp_path / "t"),
        "DATA": str(tmp_path / "weeds"),
    }
    script = str(STEPS.with_name("run_training.sh"))
    done = subprocess.run(["/bin/sh", script, "python3", "x.py"], env=environment, text=True, capture_output=True)
    asked = done.stdout.splitlines()
    assert asked[0] == "run"
    assert asked[-3:] == ["vitruve-training", "python3", "x.py"]
    assert f"{tmp_path / 't'}:/train" in asked
    assert "127.0.0.1:8880:8880" in asked
    assert "127.0.0.1:6006:6006" in asked
    environment["DATA"] = str(tmp_path / "none")
    done = subprocess.run(["/bin/sh", script], env=environment, text=True, capture_output=True)
    assert done.returncode == 2
    assert "no such folder" in done.stderr
