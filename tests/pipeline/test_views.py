from __future__ import annotations

from pathlib import Path

import pytest

from calibrated_scene import VIEWS, scene_labels
from vitruve.errors import InputError
from vitruve.inference.jobs import Job, jobs_for
from vitruve.pipeline.views import grouped_jobs, grouped_tables, in_view_order

TWO = ("top", "side")


def _named(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_label_files_are_put_together_by_the_view_in_their_name() -> None:
    paths = _named("b_side.csv", "CollectedData_top_new.csv", "b_top.csv", "CollectedData_side_new.csv")
    wanted = [(paths[2], paths[0]), (paths[1], paths[3])]
    assert grouped_tables(paths, TWO) == wanted
    assert grouped_tables(paths, ()) == [(path,) for path in paths]
    assert grouped_tables(_named("one.csv", "two.csv"), TWO) == [tuple(_named("one.csv", "two.csv"))]
    assert grouped_tables([], TWO) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a_top.csv",), r"a_top\.csv: the label file of view 'side' is not given"),
        (("a.csv",), r"a\.csv: this run sees 2 views together \(top, side\); give one label file a view"),
        (("a_top.csv", "a_side.csv", "b.csv"), r"b\.csv: this run sees 2 views"),
        (("a_top.csv", "top_a.csv"), r"top_a\.csv: a_top\.csv is the label file of view 'top' already"),
    ],
)
def test_label_files_that_lack_a_view(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        grouped_tables(_named(*names), TWO)


def test_jobs_of_single_views_stay_alone() -> None:
    jobs = jobs_for(_named("a_top.mp4", "i/a.png"), Path("v"), Path("i"), formats=["csv"], labeled_video=False)
    assert grouped_jobs(jobs, ()) == [[job] for job in jobs]


def test_images_are_of_no_recording() -> None:
    with pytest.raises(InputError, match=r"2 images: this run sees 2 views together"):
        grouped_jobs([Job(tuple(_named("a.png", "b.png")), Path("t.csv"))], TWO)


def test_views_are_brought_into_the_order_of_the_run() -> None:
    labels = scene_labels(3)
    turned = in_view_order(labels, (VIEWS[2], VIEWS[0], VIEWS[1]), "x.csv")
    assert turned.view_names == ("right", "left", "middle")
    for frame, other in zip(labels, turned, strict=True):
        assert [image.path.parent.name for image in other.images] == ["walk_right", "walk_left", "walk_middle"]
        assert (other.instances.keypoints == frame.instances.keypoints[[2, 0, 1]]).all()
    assert turned.cameras["walk"][1] is labels.cameras["walk"][0]
    assert in_view_order(labels, (), "x.csv") is labels
    with pytest.raises(InputError, match=r"x\.csv: has the views left, middle, right, but this run sees top, side"):
        in_view_order(labels, TWO, "x.csv")
