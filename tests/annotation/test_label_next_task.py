"""What is to be labelled next goes to CVAT as a task."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from annotation.cvat_standin import StandIn
from curation.pictures import clips
from curation.runs import write_run
from vitruve.annotation.cvat.server import CvatServer
from vitruve.cli.main import build
from vitruve.structures.skeleton import Skeleton


def test_chosen_images_become_a_task(standin: StandIn, server: CvatServer, tmp_path: Path) -> None:
    labels = clips(tmp_path / "clips", count=2, each=3)
    run = write_run(tmp_path / "run", "heatmap", Skeleton(("nose", "tail")), ("mouse",))
    words = ["label-next", *(str(folder) for folder in (tmp_path / "clips" / "images").iterdir()), "--n", "3"]
    words += [
        "--run",
        str(run),
        "-o",
        str(tmp_path / "next"),
        "--cvat-task",
        "next round",
        "--apply",
        "--device",
        "cpu",
    ]
    given = {"VITRUVE_CVAT_URL": standin.url, "CVAT_ACCESS_TOKEN": standin.token}
    done = CliRunner().invoke(build(), words, env=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"3 of {len(labels)} images to label" in done.output
    info = server.find("next round")
    made = server.read(info.id)
    assert len(made.frames) == 3
    assert not made.shapes
    (label,) = made.labels
    assert (label.name, [part.name for part in label.parts]) == ("mouse", ["nose", "tail"])
