"""Odd names and damaged files in projects of calibrated cameras and of detectors, on all pages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.filled import Seen, misread, seen
from app.filled_kinds import fill_field, fill_rig
from app.hostile import DAMAGES, contents, damage
from vitruve.app.pages import PAGES
from vitruve.app.place import Place
from vitruve.app.projects import AppProject
from vitruve.app.workspace import Workspace
from vitruve.formats.analysis_points import NAMES

NAME = "*b* [x](y) $z$ <i>h `c` :red[r] ~~q~~ # &lt;"
WITHIN = "thumbtip"
PART = "red*b*[x](y)$z$<i>`c`"
PAGES_OF_ALL = [page.name for page in PAGES]
KINDS = {"rig": fill_rig, "field": fill_field}

DAMAGED = {
    "rig": {
        "config.yaml": " ".join(PAGES_OF_ALL),
        "../../datasets/*/annotations/*": "labels_2d labels_3d statistics predict train analyze_frames analyze_3d map",
        "../../datasets/*/calib_params/*/*": "labels_2d labels_3d predict analyze_3d playback_3d",
        "../../datasets/**/*.[jp][pn]g": "labels_2d labels_3d analyze_frames analyze_3d statistics",
        "../../rig/*.mp4": "predict playback_3d video_traces create_video analyze_videos",
        "models/*/*/config.yaml": "overview train compare_runs predict analyze_frames analyze_3d detectors study",
        "models/*/*/model.json": "overview train predict analyze_frames analyze_3d map",
        "models/*/*/status.json": "overview train compare_runs predict analyze_3d",
        "models/*/*/metrics.csv": "train compare_runs",
        "models/*/*/predictions*.csv": "analyze_frames",
        "predictions/*/*/*.csv": "predict playback_3d video_traces create_video analyze_videos",
        "predictions/*/*/info.yaml": "predict playback_3d video_traces create_video analyze_videos",
        "predictions/*/*/calibration.toml": "playback_3d video_traces create_video",
        "analysis/*/*": "analyze_3d",
    },
    "field": {
        "config.yaml": " ".join(PAGES_OF_ALL),
        "labels.json": "labels_2d statistics map review detectors analyze_frames train",
        "images/*/*": "labels_2d statistics detectors review",
        "videos/*.mp4": "predict create_video video_traces analyze_videos",
        "outputs/*/config.yaml": "overview train compare_runs predict detectors analyze_frames study",
        "outputs/*/model.json": "overview predict detectors",
        "outputs/*/status.json": "overview train compare_runs predict",
        "outputs/*/metrics.csv": "train compare_runs",
        "outputs/*/predictions.json": "detectors analyze_frames",
        "outputs/*/video_preds/*.json": "predict create_video video_traces analyze_videos",
    },
}


LEAKED = "leaked_part"
LINKS = {
    "rig": {
        "datasets/rig": "labels_2d labels_3d statistics analyze_frames analyze_3d",
        "projects/rig/models": "overview train predict analyze_frames",
        "projects/rig/predictions": "predict playback_3d video_traces create_video",
    },
    "field": {
        "field/labels.json": "labels_2d statistics detectors",
        "field/outputs": "overview train predict detectors",
        "field/outputs/field/predictions.json": "detectors",
    },
}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    return {kind: KINDS[kind](tmp_path_factory.mktemp(kind) / "home", kind, WITHIN) for kind in KINDS}


def _copy(place: Place, home: Path) -> Place:
    """A copy whose files may be replaced, but not written into."""
    assert place.project is not None
    shutil.copytree(place.workspace.home, home, copy_function=os.link)
    project = home / place.project.path.relative_to(place.workspace.home)
    workspace = Workspace.of([home])
    return Place(workspace, AppProject(project, place.project.kind, workspace))


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_shown_as_they_are(tmp_path: Path, kind: str) -> None:
    page = seen(KINDS[kind](tmp_path / "home", NAME, PART), *PAGES_OF_ALL)
    assert not page.failed and not page.errors, page.failed or page.errors
    assert not list(misread(page, NAME, PART))


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(("kind", "files"), [(kind, files) for kind in KINDS for files in DAMAGED[kind]])
def test_damaged_files_are_said_in_one_line(
    homes: dict[str, Place], tmp_path: Path, kind: str, files: str, how: str
) -> None:
    place = _copy(homes[kind], tmp_path / "home")
    assert place.project is not None
    found = [path for path in place.project.path.glob(files) if path.is_file()]
    assert found
    for path in found:
        path.unlink()
        damage(path, how)
    page = seen(place, *DAMAGED[kind][files].split())
    assert not page.failed, page.failed
    assert not page.long_errors


@pytest.mark.parametrize(("kind", "link"), [(kind, link) for kind in KINDS for link in LINKS[kind]])
def test_what_a_link_leads_to_outside_is_not_shown(
    homes: dict[str, Place], tmp_path: Path, kind: str, link: str
) -> None:
    place, outside = _copy(homes[kind], tmp_path / "home"), tmp_path / "outside"
    inside = place.workspace.home / link
    outside.mkdir()
    inside.rename(outside / inside.name)
    changed = [outside / inside.name, *outside.rglob("*")]
    for file in [file for file in changed if file.suffix in (".csv", ".json", ".yaml")]:
        text = file.read_text()
        file.unlink()
        file.write_text(text.replace(WITHIN, LEAKED))
    inside.symlink_to(outside / inside.name)
    before = contents(outside)
    page = seen(place, *LINKS[kind][link].split())
    assert not page.failed, page.failed
    assert not [(where, text[:300]) for where, text in page.texts() if LEAKED in text]
    assert contents(outside) == before


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_framesets_of_a_linked_analysis_are_shown_only_from_inside(
    homes: dict[str, Place], tmp_path: Path, where: str
) -> None:
    place = _copy(homes["rig"], tmp_path / "home")
    assert place.project is not None
    linked = (place.workspace.home if where == "inside" else tmp_path) / "elsewhere"
    analysis = place.project.path / "analysis"
    analysis.rename(linked)
    [names] = linked.glob(f"*/{NAMES}")
    said = [f"{LEAKED}/{line}" for line in names.read_text().splitlines()]
    names.unlink()
    names.write_text("\n".join(said))
    analysis.symlink_to(linked)
    page = seen(place, "analyze_3d")
    for choice in page.test.segmented_control:
        choice.set_value("Worst framesets").run()
    shown = Seen(page.test, page.test.session_state["failed"])
    assert not shown.failed, shown.failed
    assert any(LEAKED in text for _, text in shown.texts()) == (where == "inside")
