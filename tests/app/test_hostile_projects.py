"""Projects with names, files and links that nobody would give them: each page stays what it is, and says one line."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest
import yaml

from app.filled import fill, misread, seen
from app.hostile import DAMAGES, GARBAGE, contents, damage
from vitruve.app import pages, parts
from vitruve.app.pages import PAGES
from vitruve.app.parts.jobs import submit
from vitruve.app.place import Place
from vitruve.app.projects import MADE, POSES, AppProject, find_projects, open_project
from vitruve.app.workspace import Workspace
from vitruve.errors import InputError

NAME = "*b* [x](y) $z$ <i>h `c` :red[r] ~~q~~ # &lt;"
KEYPOINT = "nose*b*[x](y)$z$<i>`c`"
NAMES = [page.name for page in PAGES]


@pytest.fixture(scope="module")
def odd(mouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A project in which everything that can have a name has an odd one."""
    home = tmp_path_factory.mktemp("odd") / "home"
    project = Path(shutil.copytree(mouse / "mouse", home / NAME))
    for file in [*project.rglob("*.csv"), *project.rglob("*.json")]:
        file.write_text(file.read_text().replace("nose", KEYPOINT))
    for file in (project / "config.yaml", project / "skeleton.yaml", project / "outputs" / "first" / "config.yaml"):
        # The old name stands in lists of names, and as a part of nothing else.
        values = yaml.safe_load(file.read_text().replace(str(mouse / "mouse"), str(project)))
        file.write_text(yaml.safe_dump(_renamed(values)))
    workspace = Workspace.of([home])
    place = Place(workspace, open_project(workspace, NAME))
    fill(place, NAME)
    return place


def _renamed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _renamed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each) for each in value]
    return KEYPOINT if value == "nose" else value


def test_names_are_shown_as_they_are(odd: Place) -> None:
    page = seen(odd, *NAMES)
    assert not page.failed, page.failed
    assert not list(misread(page, NAME, KEYPOINT))


def test_what_is_wrong_is_said_by_one_function_alone() -> None:
    """Messages hold names: whoever shows one by Streamlit's own would have it read as Markdown."""
    found = []
    for package in (pages, parts):
        for file in Path(package.__path__[0]).glob("*.py"):
            for call in ast.walk(ast.parse(file.read_text())):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                    continue
                said = call.args[0] if call.args else None
                named = isinstance(said, (ast.Name, ast.Attribute, ast.Call))
                escaped = isinstance(said, ast.Call) and getattr(said.func, "id", "") == "verbatim"
                if call.func.attr in ("error", "warning") and named and not escaped and file.name != "text.py":
                    found.append(f"{file.name}:{call.lineno}")
    assert not found


# Which files, and the pages that read them.
DAMAGED = {
    "config.yaml": " ".join(NAMES),
    "CollectedData.csv": "labels_2d statistics map review analyze_frames create_project",
    "skeleton.yaml": "labels_2d train",
    "outputs/*/config.yaml": "overview train compare_runs predict study analyze_frames",
    "outputs/*/model.json": "overview predict analyze_frames create_video detectors video_traces",
    "outputs/*/*.safetensors": "overview predict",
    "outputs/*/status.json": "overview train compare_runs predict",
    "outputs/*/metrics.csv": "train compare_runs",
    "outputs/*/predictions*.csv": "analyze_frames",
    "outputs/*/video_preds/*.csv": "predict create_video video_traces analyze_videos",
    "outputs/*/video_preds/.*.json": "predict",
    "outputs/*/evaluation/*": "overview",
    "outputs/search*/*": "study",
    "videos/*.mp4": "predict create_video video_traces analyze_videos",
    "labeled-data/*/*.png": "labels_2d statistics analyze_frames review",
    "maps/*/*": "map",
    "auto_annotation/*/*/review/*/review.json": "review",
    "auto_annotation/*/*/review/*/*.xml": "review",
    "../.vitruve/jobs/*/job.json": "queue train overview predict study",
    "../.vitruve/jobs/*/end.json": "queue train",
    "../.vitruve/jobs/*/log.txt": "queue",
}


@pytest.fixture(scope="module")
def filled(mouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a project that has everything; copied before it is damaged."""
    home = Path(shutil.copytree(mouse, tmp_path_factory.mktemp("filled") / "home"))
    workspace = Workspace.of([home])
    fill(Place(workspace, open_project(workspace, "mouse")))
    return home


@pytest.fixture
def whole(filled: Path, tmp_path: Path) -> Place:
    """A copy of :func:`filled`."""
    home = Path(shutil.copytree(filled, tmp_path / "home"))
    workspace = Workspace.of([home])
    return Place(workspace, AppProject(home / "mouse", POSES, workspace))


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("files", DAMAGED)
def test_damaged_files_are_said_in_one_line(whole: Place, files: str, kind: str) -> None:
    assert whole.project is not None
    found = [path for path in whole.project.path.glob(files) if path.is_file()]
    assert found
    for path in found:
        damage(path, kind)
    page = seen(whole, *DAMAGED[files].split())
    assert not page.failed, page.failed
    assert not page.long_errors


def test_a_project_with_damaged_settings_is_none(whole: Place) -> None:
    assert whole.project is not None
    for content in (GARBAGE, b"", b"[1]", b"data: [", b"a: &a [*a]"):
        whole.project.config.write_bytes(content)
        assert find_projects(whole.workspace) == []


def test_a_project_that_is_gone_is_said_in_one_line(whole: Place) -> None:
    assert whole.project is not None
    shutil.rmtree(whole.project.path)
    page = seen(whole, *NAMES)
    assert not page.failed, page.failed
    assert not whole.project.path.exists()


# Stands in files that lie outside, and in none within.
LEAKED = "leaked_keypoint"
LINKS = {
    "config.yaml": "settings overview train",
    "CollectedData.csv": "labels_2d statistics map review analyze_frames",
    "labeled-data": "labels_2d analyze_frames review",
    "videos": "predict video_traces analyze_videos create_video",
    "videos/mouse.mp4": "predict create_video",
    "outputs": "overview train compare_runs predict analyze_frames video_traces study create_video",
    "outputs/plain": "overview train compare_runs predict analyze_frames video_traces",
    "outputs/plain/config.yaml": "compare_runs train study",
    "outputs/plain/model.json": "predict analyze_frames",
    "outputs/plain/status.json": "overview train",
    "outputs/plain/metrics.csv": "compare_runs train",
    "outputs/plain/predictions.csv": "analyze_frames",
    "outputs/plain/CollectedData.csv": "analyze_frames",
    "outputs/plain/evaluation": "overview",
    "outputs/plain/evaluation/summary.csv": "overview",
    "outputs/plain/video_preds": "predict video_traces analyze_videos create_video",
    "outputs/plain/video_preds/plain.csv": "predict video_traces analyze_videos create_video",
    "outputs/search plain": "study",
    "outputs/search plain/study.yaml": "study",
    "maps": "map",
    "maps/plain": "map",
    "maps/plain/map.csv": "map",
    "auto_annotation": "review",
    "auto_annotation/plain": "review",
    "auto_annotation/plain/2026/review/plain/review.json": "review",
}


@pytest.fixture(scope="module")
def outside(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same project, with other names in it, in a folder that is not served."""
    home = Path(shutil.copytree(filled, tmp_path_factory.mktemp("outside") / "private"))
    for file in home.rglob("*"):
        if file.suffix in (".csv", ".json", ".yaml", ".xml"):
            file.write_text(file.read_text().replace("nose", LEAKED).replace("COMPLETED", LEAKED))
    with (home / "mouse" / "config.yaml").open("a") as stream:
        stream.write(f"# {LEAKED}\n")
    return home / "mouse"


@pytest.mark.parametrize("link", LINKS)
def test_what_a_link_leads_to_outside_is_not_shown(whole: Place, outside: Path, link: str) -> None:
    assert whole.project is not None
    place, target = whole.project.path / link, outside / link
    assert target.exists()
    before = contents(outside)
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.symlink_to(target)
    if link == "config.yaml":
        assert find_projects(whole.workspace) == []
        with pytest.raises(InputError, match="no project"):
            open_project(whole.workspace, "mouse")
        return
    page = seen(whole, *LINKS[link].split())
    assert not page.failed, page.failed
    assert not [(where, text[:300]) for where, text in page.texts() if LEAKED in text]
    assert contents(outside) == before


SETTINGS = {
    "the folder of the labels": {"data_dir": "{outside}"},
    "by a path that goes up": {"data_dir": "../../../{up}"},
    "the label file": {"csv_file": "{outside}/CollectedData.csv"},
    "the folder of videos": {"video_dir": "{outside}/videos"},
    "a device": {"csv_file": "/dev/zero"},
    "the root": {"data_dir": "/", "csv_file": "etc/passwd"},
}


@pytest.mark.parametrize("what", SETTINGS)
def test_what_settings_name_outside_is_not_shown(whole: Place, outside: Path, what: str) -> None:
    assert whole.project is not None
    before, up = contents(outside), outside.relative_to(Path(*outside.parts[:-4]))
    values = yaml.safe_load(whole.project.config.read_text())
    values["data"] |= {key: value.format(outside=outside, up=up) for key, value in SETTINGS[what].items()}
    whole.project.config.write_text(yaml.safe_dump(values))
    page = seen(whole, *NAMES)
    assert not page.failed, page.failed
    assert not [(where, text[:300]) for where, text in page.texts() if LEAKED in text or "root:x" in text]
    assert contents(outside) == before


@pytest.mark.parametrize("name", MADE)
def test_nothing_is_begun_that_would_write_outside(whole: Place, outside: Path, name: str) -> None:
    assert whole.project is not None
    folder = whole.project.path / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.symlink_to(outside)
    before = len(whole.jobs.all())
    place = Place(whole.workspace, open_project(whole.workspace, "mouse"))
    with pytest.raises(InputError, match="not in the folders"):
        submit(place, ["train", "config.yaml"], title="x", kind="train")
    assert len(whole.jobs.all()) == before
