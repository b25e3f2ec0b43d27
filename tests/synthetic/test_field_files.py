from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from vitruve.config.compose import compose
from vitruve.errors import InputError
from vitruve.example_project import write_example
from vitruve.formats.hub import read_labels
from vitruve.media.images import read_image
from vitruve.media.video import VideoReader
from vitruve.synthetic.field import CLASSES
from vitruve.synthetic.field_files import LABELS, NEW_LABELS, FieldExtent, field_images, task_name

SMALL = {
    **{"clips": 2, "frames": 3, "new": 1, "videos": 1, "video_frames": 4},
    **{"plants": 8, "largest": 90, "width": 160, "height": 128},
}


def test_clips_are_named_as_those_of_obdb_and_three_are_of_one_day():
    names = [task_name(number) for number in (*range(400), 2001, 4002)]
    assert len(set(names)) == len(names)
    pattern = re.compile(r"FieldData 20\d{12} \d[LR] GH\d{6}")
    assert all(pattern.fullmatch(name) for name in names)
    days = [name[10:18] for name in names[:9]]
    assert days[0] == days[1] == days[2] != days[3] and len(set(days)) == 3
    assert task_name(0, seed=1) != names[0]


def test_the_example_is_a_project_of_boxes(tmp_path: Path) -> None:
    root = write_example("field", tmp_path / "field", **SMALL)
    labels, new = read_labels(root / LABELS), read_labels(root / NEW_LABELS)
    config = compose(str(root), "config", []).config
    assert list(config.data.label_files()) == [root / LABELS] and config.model.model_type == "faster_rcnn"
    assert labels.categories == CLASSES == new.categories
    assert len(labels) == 6 and len(new) == 3 and len(labels.skeleton) == 0
    wanted = field_images(tmp_path / "again", FieldExtent(**SMALL))
    for frame, other in zip(labels, wanted, strict=True):
        assert read_image(labels.path(frame.images[0])).shape == (128, 160, 3)
        assert frame.session == other.session == frame.images[0].path.parent.name
        one, two = frame.instances, other.instances
        for name in ("boxes", "categories", "tracks", "crowds", "areas"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    sessions = [frame.session for frame in labels]
    assert sessions == [task_name(0)] * 3 + [task_name(1)] * 3
    truth = read_labels(next((root / "videos").glob("*_truth.json")))
    with VideoReader(truth.path(truth[0].images[0])) as video:
        assert video.count() == len(truth) == 4
    shared = set(truth[0].instances.tracks[0].tolist()) & set(truth[3].instances.tracks[0].tolist())
    assert len(shared) > 3


def test_frames_of_a_clip_are_nearly_alike_and_clips_are_not(tmp_path: Path) -> None:
    labels = field_images(tmp_path, FieldExtent(**{**SMALL, "clips": 2, "frames": 2}))
    boxes = [dict(zip(f.instances.tracks[0].tolist(), f.instances.boxes[0], strict=True)) for f in labels]
    same = boxes[0].keys() & boxes[1].keys()
    assert len(same) >= 0.7 * len(boxes[0]) and all(np.abs(boxes[0][t] - boxes[1][t]).max() < 20 for t in same)
    images = [read_image(labels.path(frame.images[0])).astype(float) for frame in labels]
    assert np.abs(images[2] - images[3]).mean() < np.abs(images[0] - images[2]).mean()


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="largest=20; it must be from 30 to 1000"):
        FieldExtent(smallest=30, largest=20)
    with pytest.raises(InputError, match=r"no 'clip' .*did you mean 'clips'"):
        write_example("field", clip=3)
