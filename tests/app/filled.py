"""A project that has one of everything that pages read, and all pages of it as a browser would be shown them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from vitruve.annotation.proposals.pending import keep_review
from vitruve.annotation.proposals.review import ATTRIBUTE, Review
from vitruve.annotation.proposals.sources import Source
from vitruve.annotation.proposals.trail import Proposal
from vitruve.app.labels import label_files
from vitruve.app.place import Place
from vitruve.config.compose import compose
from vitruve.curation.crops import Crop
from vitruve.curation.files import write_map
from vitruve.curation.tsne_map import Map
from vitruve.jobs import Job
from vitruve.structures.annotation import AnnotationTask, AttributeSpec, LabelSpec, Shape, TaskFrame
from vitruve.tuning.folder import StudyFiles

# What the browser shows as it is, and does not read as Markdown; identifiers are never seen.
_SHOWN_AS_IT_IS = re.compile(
    r"\.(id|options|raw_values?|value|default|set_value|code_text|json|spec|data|url|placeholder|page_script_hash"
    r"|url_pathname|query_params|user_key)$"
)
RATE = "training.optimizer_params.learning_rate"


def fill(place: Place, name: str = "plain") -> None:
    """Add a second run, predictions of a video by both, a map, a search, proposals and jobs that have ended.

    Args:
        place: The project ``mouse`` of the tests.
        name: What all that is called.
    """
    assert place.project is not None
    project = place.project.path
    runs = [project / "outputs" / "first", project / "outputs" / name]
    shutil.copytree(*runs)
    shutil.copy(project / "videos" / "mouse.mp4", project / "videos" / f"{name}.mp4")
    labels = label_files(place)["CollectedData.csv"].read()
    for run in runs:
        _predict(run / "video_preds", name, list(labels.skeleton.names))
    _draw_map(place, project / "maps" / name)
    space = {RATE: {"low": 1e-4, "high": 1e-2, "log": True}}
    config = compose(str(place.project.config), quiet=True).config
    tune = config.tune.model_copy(update={"space": space})
    StudyFiles(project / "outputs" / f"search {name}").write_settings(config.model_copy(update={"tune": tune}))
    _propose(place, name)
    for number, kind in enumerate(("train", "predict", "tune", "map", "propose", "cvat", "send", "video", "example")):
        about = {"kind": kind, "project": str(project), "run": str(runs[1]), "study": name, "videos": "", "tables": ""}
        job = Job(place.jobs.folder / f"job-{number + 1:06d}", ("predict", name), project, f"{kind} {name}", about, 1.0)
        job.path.mkdir(parents=True)
        job.save()
        job.write("end", {"code": 2, "time": 2.0})
        job.log.write_text(f"error: {name} failed\n")


def _predict(folder: Path, name: str, keypoints: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    columns = [("s", each, coord) for each in keypoints for coord in ("x", "y", "likelihood")]
    rows = np.random.default_rng(0).uniform(0, 1, (12, len(columns)))
    names = pd.MultiIndex.from_tuples(columns, names=("scorer", "bodyparts", "coords"))
    pd.DataFrame(rows, columns=names).to_csv(folder / f"{name}.csv")
    (folder / f".{name}.json").write_text("{}")


def _draw_map(place: Place, folder: Path) -> None:
    labels = label_files(place)["CollectedData.csv"].read()
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4)), -1).reshape(-1, 2)
    crops = tuple(Crop(number, 0, (1.0, 2.0, 11.0, 22.0), 0) for number in range(len(labels)))
    pictures = np.zeros((len(labels), 48, 48, 3), np.uint8)
    folder.mkdir(parents=True)
    write_map(Map(labels, crops, grid[: len(labels)], np.arange(len(labels)) // 8, pictures, "two", "none"), folder)


def _propose(place: Place, name: str) -> None:
    assert place.project is not None
    labels = label_files(place)["CollectedData.csv"].read()
    image, keypoint = labels[0].first_image.path.as_posix(), labels.skeleton.names[0]
    spec = LabelSpec(name, "skeleton", attributes=(AttributeSpec(ATTRIBUTE),), parts=(LabelSpec(keypoint, "points"),))
    part = Shape("points", keypoint, 0, (10.0, 20.0))
    shape = Shape("skeleton", name, 0, parts=(part,), attributes=((ATTRIBUTE, "0123456789ab"),), source="auto")
    task = AnnotationTask("review", (spec,), (TaskFrame(image, 224, 192),), (shape,))
    box = (10.0, 20.0, 30.0, 40.0)
    made = Proposal(
        "0123456789ab", "missing", "run", "id", "now", name, None, image, None, name, 0.5, 0.0, box, (keypoint,)
    )
    keep_review(place.project.path / "auto_annotation" / name / "2026", Review(task, (made,), 0), Source(name, labels))


@dataclass(frozen=True)
class Seen:
    """Pages.

    Attributes:
        test: The pages, one below the other.
        failed: What pages raised that they do not say themselves; empty where all work.
    """

    test: AppTest
    failed: str

    @property
    def errors(self) -> list[str]:
        """What they say that is wrong."""
        return [each.value for each in self.test.error]

    @property
    def long_errors(self) -> list[str]:
        """Those of :attr:`errors` that are more than a line for people."""
        return [error for error in self.errors if "\n" in error or "Traceback" in error or len(error) > 600]

    def texts(self) -> Iterator[tuple[str, str]]:
        """All texts that the browser is sent, each with where it stands."""
        for element in self.test._tree:
            proto = getattr(element, "proto", None)
            if isinstance(proto, Message):
                yield from _texts(proto)


def seen(place: Place, *names: str) -> Seen:
    """Pages as the app shows them, with what goes wrong on each said in one line; all in one run, which is quicker.

    Args:
        place: Where.
        *names: Of their modules.

    Returns:
        The pages.
    """

    def script(names: list[str], roots: list[str], project: str, kind: str) -> None:
        import importlib
        import traceback
        from pathlib import Path

        import streamlit as st

        from vitruve.app.parts.text import show_error
        from vitruve.app.place import Place, serve
        from vitruve.app.projects import AppProject
        from vitruve.app.workspace import Workspace
        from vitruve.errors import VitruveError

        workspace = Workspace(tuple(map(Path, roots)))
        serve(workspace)
        failed = []
        for name in names:
            try:
                page = importlib.import_module(f"vitruve.app.pages.{name}")
                page.show(Place(workspace, AppProject(Path(project), kind, workspace)))
            except VitruveError as error:
                show_error(error)
            except Exception:
                failed.append(f"{name}: {traceback.format_exc()}")
        st.session_state["failed"] = "\n".join(failed)

    assert place.project is not None
    given: dict[str, Any] = {
        "names": list(names),
        "roots": [str(root) for root in place.workspace.roots],
        "project": str(place.project.path),
        "kind": place.project.kind,
    }
    test = AppTest.from_function(script, default_timeout=120, kwargs=given).run()
    return Seen(test, test.session_state["failed"] or "".join(each.stack_trace[-1] for each in test.exception))


def misread(page: Seen, *names: str) -> Iterator[str]:
    """Where names would be read as Markdown.

    Args:
        page: Pages.
        *names: As they are to be seen.

    Yields:
        Places with their texts.
    """
    for where, text in page.texts():
        # Within code nothing is read, and its fence is longer than any in the name.
        read = re.sub(r"(``+)(?!`).*?(?<!`)\1(?!`)", "", text)
        if not _SHOWN_AS_IT_IS.search(where) and any(name in read for name in names):
            yield f"{where}: {text}"


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
            continue
        for each in value if field.is_repeated else (value,):
            if field.type == field.TYPE_MESSAGE:
                yield from _texts(each)
            elif isinstance(each, str):
                yield f"{message.DESCRIPTOR.name}.{field.name}", each
