"""Auto-annotation: a network looks through labels, and what they lack goes to people as tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from vitruve.annotation.cvat.diff import described
from vitruve.annotation.cvat.server import CvatServer
from vitruve.annotation.cvat.verbs import Outcome
from vitruve.annotation.proposals.judge import KINDS, MISSING, POSE_KINDS, Limits, judge_labels
from vitruve.annotation.proposals.pending import keep_review
from vitruve.annotation.proposals.report import Looked, write_crops, write_report
from vitruve.annotation.proposals.review import Origin, Review, review_of, with_shapes
from vitruve.annotation.proposals.sources import (
    Source,
    check_images,
    file_sources,
    fitted,
    predictions_for,
    server_sources,
    store_sources,
)
from vitruve.annotation.proposals.trail import Trail
from vitruve.annotation.store.store import open_store
from vitruve.errors import ConfigError, InputError, nearest
from vitruve.inference.open import Opened, open_run
from vitruve.inference.progress import progress

OUTPUT = "auto_annotation"
"""Folder of proposals where none is named."""


@dataclass(frozen=True)
class Proposed(Outcome):
    """What a network makes of labels; its changes are review tasks.

    Attributes:
        folder: Holds tables and pictures.
        found: How many things of each kind were found.
        tasks: Numbers of the review tasks that were made.
    """

    folder: Path
    found: dict[str, int]
    tasks: tuple[int, ...] = ()


def propose(
    run: str | Path,
    sources: Sequence[str | Path] = (),
    *,
    tasks: Sequence[int | str] = (),
    store: str | Path | None = None,
    images: str | Path | None = None,
    output: str | Path = OUTPUT,
    threshold: float = 0.5,
    keypoint_threshold: float = 0.5,
    iou: float | None = None,
    kinds: Sequence[str] = (),
    share: bool = False,
    every: int = 1,
    pictures: int = 48,
    crops: str | Path | None = None,
    variant: str = "",
    name: str = "",
    apply: bool = False,
    format: str | None = None,
    only: Sequence[str] = (),
    suffix: str = "",
    locator: str | Path | None = None,
    runtime: str | None = None,
    server: CvatServer | None = None,
) -> Proposed:
    """Propose objects that labels lack, and list what else may be wrong with them.

    What was proposed before is not proposed again, whatever became of it; the file ``proposals.json`` in the folder
    remembers it.

    Args:
        run: The run directory of a detector or a pose network.
        sources: Label files, folders of images, images, videos.
        tasks: Numbers or names of tasks of the server, or of the store where one is named.
        store: Address of an annotation store, whose tasks are looked through; all of them where none is named.
        images: The folder that names of images start from; images of the server's tasks are fetched without it.
        output: Folder of tables, pictures and the trail of proposals.
        threshold: Score of predictions that count, 0 to 1.
        keypoint_threshold: Score of keypoints that count, 0 to 1.
        iou: In place of matching one to one by class, OBDB's rule: what overlaps no label by more than this is missing.
        kinds: Which kinds of findings are proposed; by default missing objects, and all that speaks of keypoints.
        share: The server has the images on its share, under the same names; they are not uploaded.
        every: Of a video, every n-th frame.
        pictures: How many findings of each kind are drawn.
        crops: Folder that missing objects are written to as pictures of their own, or None.
        variant: What the run is called in names of tasks; by default the name of its folder.
        name: Of the review task of a single source.
        apply: Make the review tasks; without, only say what would be made, and keep the proposals for people to look
            through before :func:`~vitruve.annotation.proposals.pending.send_review` sends them.
        format: Of label files; found by looking inside by default.
        only: Of the tasks that label files hold, those with these names.
        suffix: Of the images in folders, such as ``png``; all of them by default.
        locator: Run that says where the animals are, for pose networks that look at one at a time.
        runtime: What carries the network out; None as the run says.
        server: The server; by default that of the environment, which is asked only where it is needed.

    Returns:
        What was found and made.

    Raises:
        InputError: A source is not as it should be, images are missing, or two tasks have one name.
        ServerError: The server failed; doing the same again goes on.
    """
    wanted = _kinds(kinds)
    if (tasks and store is None) or apply:
        server = server or CvatServer.connect()
    folder = Path(output)
    trail, limits = Trail(folder), Limits(threshold, keypoint_threshold, gate=iou)
    root = None if images is None else Path(images)
    found = [source for path in sources for source in file_sources(Path(path), format, root, every, suffix)]
    found = _chosen(found, only)
    if store is not None:
        with open_store(store) as opened_store:
            found += store_sources(opened_store, [str(task) for task in tasks], root or Path())
    elif tasks and server is not None:
        found += server_sources(server, [str(task) for task in tasks], root, folder / "images")
    _check(found, name)
    opened = open_run(Path(run), runtime, locator=None if locator is None else Path(locator))
    date = datetime.now().strftime("%Y_%m_%d_%H_%M_%S")
    origin = Origin(str(run), variant or Path(run).resolve().name, opened.identity, date)
    with progress("Looking through images", sum(len(source.labels) for source in found)) as advance:
        looked = [look_through(opened, source, limits, advance) for source in found]
    place = folder / origin.variant / date
    write_report(place, looked, pictures)
    if crops is not None:
        write_crops(Path(crops), looked, MISSING)
    reviews = [(each, review_of(each.source, each.findings, origin, wanted, trail, name)) for each in looked]
    made: list[int | None] = [None] * len(reviews)
    if apply and server is not None:
        made = [_send(server, each.source, review, trail, share) for each, review in reviews]
    else:
        for each, review in reviews:
            if review.proposals:
                keep_review(place, review, each.source)
    counts = Counter(finding.kind for each in looked for finding in each.findings)
    number = sum(bool(review.proposals) for _, review in reviews)
    lines = [line for (each, review), task in zip(reviews, made, strict=True) for line in _lines(each, review, task)]
    found_words = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "nothing"
    lines.append(f"{sum(len(each.source.labels) for each in looked)} images: {found_words} -> {place}")
    sent = tuple(task for task in made if task is not None)
    return Proposed(tuple(lines), number, bool(sent), sent[0] if len(sent) == 1 else None, place, dict(counts), sent)


def look_through(
    opened: Opened, source: Source, limits: Limits, advance: Callable[[int], None] | None = None
) -> Looked:
    """Let a network look at the images of a source.

    Args:
        opened: The network.
        source: The labels.
        limits: From where on something counts.
        advance: Is told how many more images have been looked at.

    Returns:
        The source with the network's keypoints and classes, and what was found.

    Raises:
        InputError: The keypoints differ, or an image cannot be read.
    """
    task = opened.predictor.algorithm.task
    ready = fitted(source, task.skeleton, task.categories)
    predicted = opened.predictor.predict_labels(ready.labels, advance=advance)
    predicted = replace(predicted, categories=task.categories)
    named = predictions_for(ready, predicted, () if source.bare else source.labels.categories)
    return Looked(ready, judge_labels(ready.labels, named, limits))


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"kind '{kind}'{nearest(kind, KINDS)}: known are {', '.join(KINDS)}")
    return tuple(kinds) or (MISSING, *POSE_KINDS)


def _chosen(sources: list[Source], only: Sequence[str]) -> list[Source]:
    names = [source.name for source in sources]
    for name in only:
        if name not in names:
            raise InputError(f"no task '{name}'{nearest(name, names)} among the {len(names)} of the label files")
    return [source for source in sources if not only or source.name in only]


def _check(sources: Sequence[Source], name: str) -> None:
    if not sources:
        raise InputError("nothing to look through: give label files, images, videos, or tasks")
    if name and len(sources) > 1:
        raise InputError(
            f"name {name}: there are {len(sources)} sources, each with a review task of its own; leave it out"
        )
    for source in sources:
        check_images(source)
    names = [source.name for source in sources]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise InputError(f"two sources are named '{twice}', and so would be their review tasks; give one at a time")


def _send(server: CvatServer, source: Source, review: Review, trail: Trail, share: bool) -> int | None:
    """Make a review task where something is proposed."""
    if not review.proposals:
        return None
    # It is in the trail before, so that what breaks off goes on under the same name.
    trail.put(review.proposals)
    number = server.create(review.task, None if share else source.labels.root)
    trail.put(with_shapes(review.proposals, server.read(number)))
    return number


def _lines(looked: Looked, review: Review, made: int | None) -> Iterator[str]:
    known = f", {review.known} were proposed before" if review.known else ""
    if not review.proposals:
        yield f"= {looked.source.name}: nothing to propose{known}"
        return
    task = review.task
    number = "" if made is None else f" {made}"
    yield f"+ task{number} ({task.name}): {len(task.frames)} images, {len(review.proposals)} proposals{known}"
    for shape in task.shapes:
        yield f"  + {described(shape, task.frames)}"
