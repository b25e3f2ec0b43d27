"""The trail of proposals: what was proposed by which run, as which shape, and what people made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.atomic import atomic_json
from vitruve.errors import InputError
from vitruve.formats.json_file import read_json
from vitruve.geometry.boxes import overlaps

FILE_NAME = "proposals.json"
"""Name of the file in the folder of proposals."""
PROPOSED, ACCEPTED, CHANGED, REJECTED = "proposed", "accepted", "changed", "rejected"
STATES = (PROPOSED, ACCEPTED, CHANGED, REJECTED)
"""Proposed and not reviewed yet; left as it was; changed; taken out."""

AND = " and "
"""Stands between the kinds of a proposal that says several things of one pose."""

_FORMAT = 1
_SAME = 0.5


@dataclass(frozen=True)
class Proposal:
    """Something proposed.

    Attributes:
        id: Its own name, which the shape in the review task carries as an attribute.
        kind: What is wrong, one of :data:`~vitruve.annotation.proposals.judge.KINDS`.
        run: The run directory.
        identity: Names weights and runtime of the run.
        date: When, as in the name of the review task.
        source: Name of the task whose labels were looked through.
        source_task: Its number, or None.
        image: Name of the image.
        index: Number of the frame in a video, or None.
        category: Class that is proposed.
        score: How sure the network was, 0 to 1.
        similar: How like it is to the nearest label.
        box: ``x1 y1 x2 y2`` in pixels, where the centre of the first one is (0, 0).
        keypoints: Names of the keypoints it speaks of.
        corrects: Name of the shape whose place it is to take, such as ``shape-12``; ``label`` where that has no number;
            empty for what is new.
        review: Name of the review task.
        review_task: Its number, once it is made.
        shape: Name of the shape in the review task.
        state: One of :data:`STATES`.
        returned_task: Number of the task of labels that it was brought to, or None.
        returned: Name of the shape there.
        points: Coordinates of the shape as it was sent, as the server counts pixels.
    """

    id: str
    kind: str
    run: str
    identity: str
    date: str
    source: str
    source_task: int | None
    image: str
    index: int | None
    category: str
    score: float
    similar: float
    box: tuple[float, float, float, float]
    keypoints: tuple[str, ...] = ()
    corrects: str = ""
    review: str = ""
    review_task: int | None = None
    shape: str = ""
    state: str = PROPOSED
    returned_task: int | None = None
    returned: str = ""
    points: tuple[float, ...] = ()

    def same_place(self, other: Proposal) -> bool:
        """Whether another one says the same of the same image.

        Args:
            other: The other.

        Returns:
            True where it is about the same object and keypoints.
        """
        about = ("source", "image", "index", "category", "keypoints")
        if any(getattr(self, name) != getattr(other, name) for name in about) or self.kind != other.kind:
            return False
        return bool(overlaps(np.array([self.box]), np.array([other.box]))[0, 0] >= _SAME)


def proposal_id(*parts: object) -> str:
    """A name for a proposal, the same for the same parts.

    Args:
        parts: What makes it this one.

    Returns:
        Twelve letters.
    """
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]


class Trail:
    """All proposals of a folder, in one file that is replaced whole.

    Args:
        folder: The folder.

    Raises:
        InputError: The file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE_NAME
        self._items: dict[str, Proposal] = {}
        if self.file.is_file():
            content = read_json(self.file)
            try:
                if content["format"] > _FORMAT:
                    raise InputError(f"{self.file}: was written by a newer program; update Vitruve")
                self._items = {row["id"]: proposal_of(row) for row in content["proposals"]}
            except (KeyError, TypeError) as error:
                raise InputError(f"{self.file}: no trail of proposals ({error}); move it away") from error

    def __len__(self) -> int:
        return len(self._items)

    def known(self, proposal: Proposal) -> Proposal | None:
        """What was proposed before in the same place, whatever became of it.

        Args:
            proposal: A new one.

        Returns:
            The earlier one, or None.
        """
        return next((item for item in self._items.values() if item.same_place(proposal)), None)

    def said(self, kind: str, about: tuple[str, str, int | None, str], box: Float[np.ndarray, " 4"]) -> frozenset[str]:
        """The keypoints of a pose of which something was said before, whatever became of it.

        Args:
            kind: What was said.
            about: Source, image, number of the frame in a video, and class.
            box: Of the pose, ``x1 y1 x2 y2`` in pixels.

        Returns:
            Their names; those of a proposal whose review task was not made are not among them.
        """
        sent = [item for item in self._items.values() if item.review_task is not None and kind in item.kind.split(AND)]
        same = [item for item in sent if (item.source, item.image, item.index, item.category) == about]
        near = overlaps(np.array([item.box for item in same]).reshape(-1, 4), np.asarray(box)[None])[:, 0] >= _SAME
        return frozenset(name for item, alike in zip(same, near, strict=True) if alike for name in item.keypoints)

    def of_review(self, task: int) -> list[Proposal]:
        """Those of a review task.

        Args:
            task: Its number.

        Returns:
            The proposals.
        """
        return [item for item in self._items.values() if item.review_task == task]

    def unsent(self, source: str, run: str) -> list[Proposal]:
        """Those whose review task was begun and has no number yet.

        Args:
            source: Name of the task whose labels were looked through.
            run: The run directory.

        Returns:
            The proposals.
        """
        return [p for p in self._items.values() if (p.source, p.run, p.review_task) == (source, run, None)]

    def put(self, proposals: Iterable[Proposal]) -> None:
        """Write proposals, in the place of those of the same name.

        Args:
            proposals: New or changed ones.
        """
        self._items |= {item.id: item for item in proposals}
        rows = [asdict(item) for item in self._items.values()]
        atomic_json(self.file, {"format": _FORMAT, "proposals": rows})


def counted(proposals: Sequence[Proposal]) -> str:
    """How many are in which state, in words."""
    parts = {state: sum(item.state == state for item in proposals) for state in STATES}
    return ", ".join(f"{number} {state}" for state, number in parts.items() if number) or "no proposal"


def proposal_of(row: Mapping[str, Any]) -> Proposal:
    """A proposal as a file has it.

    Args:
        row: Its values by names; those of newer programs are left out.

    Returns:
        The proposal.

    Raises:
        TypeError: One is missing.
    """
    known = {item.name for item in fields(Proposal)}
    item = Proposal(**{name: value for name, value in row.items() if name in known})
    a, b, c, d = item.box
    return replace(
        item, box=(float(a), float(b), float(c), float(d)), keypoints=tuple(item.keypoints), points=tuple(item.points)
    )
