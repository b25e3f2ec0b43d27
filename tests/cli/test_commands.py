from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import vitruve
from vitruve.cli import main as cli
from vitruve.cli.evaluate import _PEOPLE
from vitruve.errors import ConfigError, InputError

RUNNER = CliRunner()


class Recorder(ModuleType):
    """Stands in for vitruve.api: notes each call and answers with what the test prepared."""

    def __init__(self, answer: Any) -> None:
        super().__init__("vitruve.api")
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        for verb in ("train", "predict", "evaluate", "convert", "bench", "list_available", "example"):
            setattr(self, verb, self._verb(verb, answer))

    def _verb(self, name: str, answer: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call


def use(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Recorder:
    recorder = Recorder(answer)
    monkeypatch.setitem(sys.modules, "vitruve.api", recorder)
    monkeypatch.setattr(vitruve, "api", recorder, raising=False)
    return recorder


def invoke(*arguments: str) -> str:
    result = RUNNER.invoke(cli.build(), list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("verb", cli.verbs())
def test_help_of_every_verb(verb: str) -> None:
    output = invoke(verb, "--help")
    assert "Usage:" in output
    assert "  " in output.split("Usage:")[1].split("\n\n")[1], "a line that says what the verb does"


def test_version_and_help() -> None:
    assert vitruve.__version__ in invoke("--version")
    output = invoke("--help")
    for verb in ("train", "predict", "evaluate", "convert", "bench", "list", "example"):
        assert f"\n  {verb} " in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config-path", "d", "--config-name", "f.yaml", "-m", "a.b=1,2", "+c=3", "~e"],
        ["a.b=1,2", "--config-path=d", "+c=3", "--multirun", "--config-name=f.yaml", "~e"],
        ["-cp", "d", "a.b=1,2", "+c=3", "-cn", "f.yaml", "~e", "-m"],
    ],
)
def test_train_takes_flags_and_overrides_in_any_order(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    api = use(monkeypatch, [Path("outputs/a")])
    assert invoke("train", *arguments) == "run: outputs/a\n"
    overrides = ["a.b=1,2", "+c=3", "~e"]
    assert api.calls == [("train", ("d", overrides), {"config_name": "f.yaml", "multirun": True})]


def test_train_takes_the_settings_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    api = use(monkeypatch, [])
    for arguments in (["d/f.yaml", "a.b=x.yaml"], ["a.b=x.yaml", "d/f.yaml"]):
        invoke("train", *arguments)
    assert api.calls == [("train", ("d/f.yaml", ["a.b=x.yaml"]), {"config_name": None, "multirun": False})] * 2
    for arguments in (["f.yaml", "g.yaml"], ["f.yaml", "--config-name", "g.yaml"], ["f.yaml", "-cp", "d"]):
        with pytest.raises(ConfigError, match=r"several settings files: f\.yaml, .*; name one"):
            invoke("train", *arguments)
    assert len(api.calls) == 2


def test_train_ends_with_errors_and_where_to_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, [tmp_path])
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "report.html").touch()
    (tmp_path / "predictions.csv").touch()
    rows = "split,mean_error_px,median_error_px\ntrain,1.5,1.25\nvalidation,,\ntest,2.256,2\n"
    (tmp_path / "evaluation" / "summary.csv").write_text(rows)
    assert invoke("train").splitlines() == [
        f"run: {tmp_path}",
        "mean error: test 2.26 px (median 2.00), train 1.50 px (median 1.25)",
        f"report: {tmp_path / 'evaluation' / 'report.html'}",
        f"predictions: {tmp_path / 'predictions.csv'}",
    ]


def test_train_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    api = use(monkeypatch, [])
    invoke("train")
    assert api.calls == [("train", (None, []), {"config_name": None, "multirun": False})]


@pytest.mark.parametrize("formats", [["--format", "csv,h5"], ["--format", "csv", "--format", "h5"]])
def test_predict(monkeypatch: pytest.MonkeyPatch, formats: list[str]) -> None:
    done = SimpleNamespace(table=Path("a.csv"), labeled_video=Path("a.mp4"), frames=100, seconds=4.0, skipped=False)
    there = SimpleNamespace(table=Path("b.csv"), labeled_video=None, frames=9, seconds=0.0, skipped=True)
    api = use(monkeypatch, [done, there])
    output = invoke("predict", "run", "a.mp4", "b.mp4", *formats, "--labeled-video", "--threshold", "0.5")
    assert "a.csv: 100 frames in 4.0 s, 25.0 frames/s" in output
    assert "b.csv: is there already" in output
    ((_, args, kwargs),) = api.calls
    assert args == (Path("run"), [Path("a.mp4"), Path("b.mp4")])
    assert kwargs == {
        "output": None,
        "formats": ("csv", "h5"),
        "labeled_video": True,
        "threshold": 0.5,
        "overwrite": False,
        "runtime": None,
        "batch_size": None,
        "flip": None,
        "scales": None,
        "locator": None,
        "boxes": None,
        "smooth": False,
        "frame_start": 0,
        "number_frames": -1,
    }


def test_evaluate_shows_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = pd.DataFrame(
        {
            "split": ["test", "train"],
            "frames": [9, 0],
            "keypoints": [90, 0],
            "mean_error_px": [1.23456, float("nan")],
            **dict.fromkeys(("median_error_px", "p95_error_px", "pck_5px_percent", "pck_10px_percent"), 50.0),
        }
    )
    people = SimpleNamespace(
        average_precision=pd.DataFrame([{"split": "all", **dict.fromkeys(_PEOPLE[1:], 12.5)}]),
        identities=pd.DataFrame([{"video": "a.mp4", "idf1": 0.25, "switches": 3}]),
    )
    api = use(
        monkeypatch,
        SimpleNamespace(
            summary=summary,
            report=SimpleNamespace(people=people),
            files={"report": Path("out/report.html"), "pck": Path("out/pck.png")},
        ),
    )
    output = invoke("evaluate", "run", "--labels", "l.csv")
    assert "1.23" in output and "12.5" in output and "nan" not in output
    assert "a.mp4: IDF1 25.0 %, 3 identity switches" in output
    assert output.splitlines()[-2:] == ["report: out/report.html", "tables and pictures: out"]
    unsaid = dict.fromkeys(("output", "locator", "boxes", "flip", "scales"))
    settings = {"labels": Path("l.csv"), **unsaid, "pictures": 0}
    assert api.calls == [("evaluate", (Path("run"),), settings)]


def test_convert(monkeypatch: pytest.MonkeyPatch) -> None:
    api = use(monkeypatch, SimpleNamespace(frames=3, keypoints=5, notes=["one image twice"]))
    assert "b: 3 frames, 5 keypoints" in invoke("convert", "a", "b", "--from", "sleap")
    assert api.calls == [
        (
            "convert",
            (Path("a"), Path("b")),
            {"to": None, "from_": "sleap", "first_instance": False, "overwrite": False},
        )
    ]


def test_bench_writes_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = SimpleNamespace(table=lambda: "the table", to_json=lambda: '{"rate": 3}', runtime="onnx")
    use(monkeypatch, figures)
    output = invoke("bench", "run", "--json", str(tmp_path / "bench.json"))
    assert "the table" in output and "recorded: " in output and "onnx" in output
    assert json.loads((tmp_path / "bench.json").read_text()) == {"rate": 3}


def test_list(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(f"name{number}", "what it is") for number in range(30)]
    api = use(monkeypatch, entries)
    assert invoke("list", "backbones", "name*").count("what it is") == 30
    assert api.calls == [("list_available", ("backbones",), {"pattern": "name*"})]
    assert "... all with: vitruve list backbones" in invoke("list")
    assert RUNNER.invoke(cli.build(), ["list", "cats"]).exit_code == 2


def test_example(monkeypatch: pytest.MonkeyPatch) -> None:
    api = use(monkeypatch, Path("there"))
    assert invoke("example", "mouse", "there") == "example: there\n"
    assert api.calls == [("example", ("mouse", Path("there")), {})]


def test_errors_of_the_input_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, InputError("labels.csv: row 3: no such image"))
    monkeypatch.setattr(sys, "argv", ["vitruve", "train"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: labels.csv: row 3: no such image\n"
    monkeypatch.setenv("VITRUVE_DEBUG", "1")
    with pytest.raises(InputError):
        cli.main()


def test_interruption_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, KeyboardInterrupt())
    monkeypatch.setattr(sys, "argv", ["vitruve", "train"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 130


@pytest.mark.parametrize("on_ctrl_c", [signal.default_int_handler, signal.SIG_IGN], ids=["terminal", "background"])
def test_sigterm_ends_with_143_whatever_it_breaks_off(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], on_ctrl_c: Any
) -> None:
    was = signal.signal(signal.SIGINT, on_ctrl_c)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, was))

    def broken_off() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGTERM)  # a second one changes nothing
            raise RuntimeError("a worker is gone") from None

    before = signal.getsignal(signal.SIGTERM)
    for work in (lambda: signal.raise_signal(signal.SIGTERM), broken_off):
        with pytest.raises(SystemExit) as caught:
            cli.guarded(work)
        assert caught.value.code == 143 and capsys.readouterr().err == "stopped\n"
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(RuntimeError):  # an error of our own is one
        cli.guarded(lambda: (_ for _ in ()).throw(RuntimeError("a defect")))


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from vitruve.cli.main import build; sys.argv = ['vitruve', '--help']\n"
        "try: build()()\nexcept SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'pandas', 'numpy', 'hydra', 'pydantic', 'rich', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout


def test_what_is_warned_of_says_so_however_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = cli._Told()
    for level in (logging.INFO, logging.WARNING):
        told.emit(logging.LogRecord("vitruve", level, __file__, 1, "%d of 300 are shown", (2,), None))
    assert capsys.readouterr().err.splitlines() == ["2 of 300 are shown", "warning: 2 of 300 are shown"]
