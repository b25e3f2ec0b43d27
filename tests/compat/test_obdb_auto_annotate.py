"""OBDB's auto_annotate.py: the spellings of its page, and what they do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vitruve import api
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.verbs import Outcome
from vitruve.compat.obdb.auto_annotate import main
from vitruve.errors import ConfigError, InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """What is called in place of the work."""
    log: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    names = (
        "propose",
        "accept_proposals",
        "upload_labels",
        "upload_xml",
        "change_tasks",
        "complete_tasks",
        "crop_images",
    )
    for name in names:

        def call(*given: Any, _name: str = name, **more: Any) -> Any:
            log.append((_name, given, more))
            return [] if _name == "crop_images" else Outcome(("a line",), 1, False, None)

        monkeypatch.setattr(api, name, call, raising=False)
    monkeypatch.setattr(CvatServer, "connect", lambda *given, **more: "server")
    return log


Called = list[tuple[str, tuple[Any, ...], dict[str, Any]]]


def test_the_page_of_obdb(called: Called, capsys: pytest.CaptureFixture[str]) -> None:
    main(["-p", "val.json", "-v", "resnet18", "-t", "0.5"])
    name, given, more = called.pop()
    assert (name, given) == ("propose", (Path("/train/resnet18_model"), [Path("val.json")]))
    assert (more["threshold"], more["iou"], more["variant"], more["apply"]) == (0.5, 0.1, "resnet18", False)
    assert more["crops"] == Path("/auto_annotation/imgs")
    assert capsys.readouterr().out == "a line\nnothing was changed: --apply does it\n"

    main(["-p", "val.json", "-g", "/auto_annotation/resnet18/2021_12_16_12_57_57"])
    assert called.pop()[:2] == ("upload_labels", ([Path("val.json")],))
    main(["--upload_pkl", "True", "-p", "val.json"])
    assert called.pop()[:2] == ("upload_labels", ([Path("val.json")],))

    main(["-r", "FieldData 20200515101008 2L GH070066", "-t", "0.7"])
    name, given, more = called.pop()
    assert (name, given[1], more["tasks"], more["threshold"]) == (
        *("propose", []),
        ["FieldData 20200515101008 2L GH070066"],
        0.7,
    )
    main(["-u", "True", "-m", "gt_val", "-d", "auto_annotation_resnet18_2021_12_16_12_57_57"])
    name, given, more = called.pop()
    assert (name, given) == ("accept_proposals", ("gt_val", "auto_annotation_resnet18_2021_12_16_12_57_57"))
    assert (more["exact"], more["apply"]) == (True, False)
    main(["-u", "True", "-m", "gt", "-d", "auto", "--one_to_one", "--apply"])
    assert (called[0][2]["exact"], called.pop()[2]["apply"]) == (False, True)

    main(["-x", "/train/xml_annotations"])
    assert called.pop()[:2] == ("upload_xml", (Path("/train/xml_annotations"),))
    main(["-w", "my_changes:complete"])
    assert called.pop()[:2] == ("change_tasks", ("my_changes:complete",))
    main(["-s", "True"])
    assert called.pop()[0] == "complete_tasks"
    main(["-c", "--src", "a", "--dst", "b", "--ext", "png"])
    assert called.pop() == ("crop_images", (Path("a"), Path("b")), {"suffix": "png"})
    main(["-f", "frames", "--ext", "png", "--model_path", "run", "--settings_file", "s.json"])
    name, given, more = called.pop()
    assert (name, given, more["suffix"]) == ("propose", (Path("run"), [Path("frames")]), "png")
    assert more["name"].startswith("auto_annotation_2")
    assert called == []


def test_false_is_false(called: Called) -> None:
    main(["-u", "False", "-s", "false", "-w", "False", "-c", "0", "--upload_pkl", "False", "-p", "val.json"])
    assert [name for name, *_ in called] == ["propose"]
    with pytest.raises(SystemExit) as end:
        main(["-u", "perhaps"])
    assert end.value.code == 2


def test_the_first_of_several_counts_as_in_obdb(called: Called) -> None:
    order = [
        (["-f", "x"], "propose"),
        (["-c", "--src", "a", "--dst", "b"], "crop_images"),
        (["-u", "-m", "a", "-d", "b"], "accept_proposals"),
        (["-g", "labels.json"], "upload_labels"),
        (["-w", "m:f"], "change_tasks"),
        (["-s"], "complete_tasks"),
        (["-x", "xml"], "upload_xml"),
    ]
    for place, (_, wanted) in enumerate(order):
        main([word for words, _ in reversed(order[place:]) for word in words])
        assert called.pop()[0] == wanted


def test_bad_input(called: Called, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="-u: give -m TEXT"):
        main(["-u"])
    with pytest.raises(ConfigError, match="-c: give --src"):
        main(["-c"])
    with pytest.raises(InputError, match="give -p FILE"):
        main([])
    with pytest.raises(InputError, match="holds code in a pickle"):
        main(["-p", "a.json", "--model_path", "resnet18_model.pth"])
    settings = tmp_path / "s.json"
    settings.write_text('{"default_class_map": ["Background", "dock"], "bad": "dock"}')
    main(["--upload_pkl", "-p", "a.json", "--class_map", "default_class_map", "--settings_file", str(settings)])
    assert called.pop()[2]["classes"] == ("dock",)
    with pytest.raises(InputError, match="bad must be a list of names"):
        main(["--upload_pkl", "-p", "a.json", "--class_map", "bad", "--settings_file", str(settings)])


def test_no_pickle_is_read(tmp_path: Path) -> None:
    (tmp_path / "pd_val.pkl").write_bytes(b"cos\nsystem\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/auto_annotate.py"), "-p", str(tmp_path / "pd_val.pkl")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "a pickle can run any code, so none is read" in done.stderr
