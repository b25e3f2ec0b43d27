"""Lightning Pose CSV: header variants, quirks, views, predictions, and what is wrong with a bad file."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vitruve.errors import InputError
from vitruve.formats import lightning_pose
from vitruve.formats.hub import read_labels, write_labels
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

HEAD = "scorer,ann,ann,ann,ann\nbodyparts,a,a,b,b\ncoords,x,y,x,y\n"
ROWS = "labeled-data/s/i1.png,1,2,3,4\nlabeled-data/s/i2.png,5,6,,\n"


def put(folder: Path, text: str | bytes, name: str = "CollectedData.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_plain_file(tmp_path: Path) -> None:
    labels = lightning_pose.read(put(tmp_path, HEAD + ROWS))
    np.testing.assert_array_equal(labels.keypoints()[:, 0, 0], [[[1, 2], [3, 4]], [[5, 6], [np.nan, np.nan]]])
    np.testing.assert_array_equal(labels.visible()[:, 0, 0], [[2, 2], [2, 0]])
    assert labels.scorer == "ann" and labels.root == tmp_path and labels.skeleton.names == ("a", "b")
    assert [f.session for f in labels] == ["s", "s"] and labels[0].split is None
    assert labels.path(labels[0].images[0]) == tmp_path / "labeled-data/s/i1.png"
    assert labels[0].instances.keypoint_scores is None


def test_root_given(tmp_path: Path) -> None:
    assert lightning_pose.read(put(tmp_path, HEAD + ROWS), root=Path("elsewhere")).root == Path("elsewhere")


def test_agrees_with_pandas(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = pd.MultiIndex.from_product([["ann"], ["a", "b,c"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    frame = pd.DataFrame(rng.normal(size=(6, 4)), columns=columns, index=[f"i{n}.png" for n in range(6)])
    frame.iloc[2, :2] = np.nan
    path = tmp_path / "p.csv"
    frame.to_csv(path)
    labels = lightning_pose.read(path)
    assert labels.skeleton.names == ("a", "b,c")
    np.testing.assert_array_equal(labels.keypoints().reshape(6, 4), frame.to_numpy())


def test_first_row_without_any_label_is_a_frame(tmp_path: Path) -> None:
    labels = lightning_pose.read(put(tmp_path, HEAD + "i0.png,,,,\n" + ROWS))
    assert len(labels) == 3 and labels[0].name == "i0.png" and np.isnan(labels.keypoints()[0]).all()
    numbered = lightning_pose.read(put(tmp_path, HEAD + "0,,,,\n1,1,2,3,4\n"))
    assert [f.name for f in numbered] == ["0", "1"]


@pytest.mark.parametrize("name", ["image", "", "Unnamed"])
def test_name_of_the_index_is_no_frame(name: str, tmp_path: Path) -> None:
    assert len(lightning_pose.read(put(tmp_path, HEAD + f"{name},,,,\n" + ROWS))) == 2


def test_named_index_of_pandas(tmp_path: Path) -> None:
    columns = pd.MultiIndex.from_product([["ann"], ["a"], ["x", "y"]])
    frame = pd.DataFrame([[np.nan, np.nan], [1, 2]], columns=columns, index=pd.Index(["i0.png", "i1.png"], name="img"))
    text = io.StringIO()
    frame.to_csv(text)
    assert [f.name for f in lightning_pose.read(put(tmp_path, text.getvalue()))] == ["i0.png", "i1.png"]


@pytest.mark.parametrize(
    "head",
    ["bodyparts,a,a,b,b\ncoords,x,y,x,y\n", ",a,a,b,b\n,x,y,x,y\n", ",s,s,s,s\n,a,a,b,b\n,x,y,x,y\n", "\ufeff" + HEAD],
)
def test_header_variants(head: str, tmp_path: Path) -> None:
    labels = lightning_pose.read(put(tmp_path, head + ROWS))
    assert labels.skeleton.names == ("a", "b") and len(labels) == 2 and labels.scorer


def test_windows_and_blank_lines(tmp_path: Path) -> None:
    text = (HEAD + "labeled-data\\s\\i1.png,1,2,3,4\n\n,,,,\n").replace("\n", "\r\n")
    labels = lightning_pose.read(put(tmp_path, text))
    assert [f.name for f in labels] == ["labeled-data/s/i1.png"]


VISIBLE = "scorer,s,s,s,s,s,s\nbodyparts,a,a,a,b,b,b\ncoords,x,y,visible,x,y,visible\n"


def test_visible_column(tmp_path: Path) -> None:
    rows = "i1.png,1,2,2,3,4,1\ni2.png,1,2,0,,,1\ni3.png,5,6,,,,0\n"
    labels = lightning_pose.read(put(tmp_path, VISIBLE + rows))
    np.testing.assert_array_equal(labels.visible()[:, 0, 0], [[2, 1], [0, 1], [2, 0]])
    nan = [np.nan, np.nan]
    np.testing.assert_array_equal(labels.keypoints()[:, 0, 0], [[[1, 2], [3, 4]], [nan, nan], [[5, 6], nan]])
    write_labels(labels, tmp_path / "again.csv")
    again = lightning_pose.read(tmp_path / "again.csv")
    np.testing.assert_array_equal(again.visible(), labels.visible())
    np.testing.assert_array_equal(again.keypoints(), labels.keypoints())
    assert "visible" not in (put(tmp_path, HEAD + ROWS)).read_text()


def test_predictions_with_split(tmp_path: Path) -> None:
    text = (
        "scorer,net,net,net,set\nbodyparts,a,a,a,\ncoords,x,y,likelihood,\n"
        "i1.png,1,2,0.5,train\ni2.png,3,4,0.25,validation\ni3.png,3,4,1,\n"
    )
    labels = lightning_pose.read(put(tmp_path, text))
    assert [f.split for f in labels] == ["train", "validation", None]
    np.testing.assert_array_equal(labels.keypoint_scores().ravel(), [0.5, 0.25, 1])
    write_labels(labels, tmp_path / "again.csv")
    again = lightning_pose.read(tmp_path / "again.csv")
    assert [f.split for f in again] == ["train", "validation", None]
    np.testing.assert_array_equal(again.keypoint_scores(), labels.keypoint_scores())


def test_predictions_of_a_video(tmp_path: Path) -> None:
    text = "scorer,net,net,net\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,0.5\n1,,,0.25\n"
    labels = lightning_pose.read(put(tmp_path, text), video=Path("v.mp4"))
    assert [f.images[0] for f in labels] == [ImageRef(Path("v.mp4"), 0), ImageRef(Path("v.mp4"), 1)]
    assert lightning_pose.read(tmp_path / "CollectedData.csv")[1].images[0] == ImageRef(Path(), 1)
    write_labels(labels, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text().splitlines()[3:] == ["0,1.0,2.0,0.5", "1,,,0.25"]


def test_views(tmp_path: Path) -> None:
    rows = ("labeled-data/s_{0}/i1.png,1,2,3,4\nlabeled-data/s_{0}/i2.png,5,6,,\n").format
    a = put(tmp_path, HEAD + rows("top"), "CollectedData_top.csv")
    b = put(tmp_path, (HEAD + rows("side")).replace(",1,2", ",11,12"), "CollectedData_side.csv")
    labels = read_labels([a, b])
    assert labels.view_names == ("top", "side") and labels.keypoints().shape == (2, 2, 1, 2, 2)
    assert labels[0].session == "s" and labels[0].images[1].name == "labeled-data/s_side/i1.png"
    np.testing.assert_array_equal(labels.keypoints()[0, :, 0, 0], [[1, 2], [11, 12]])
    assert read_labels([a, b], view_names=["u", "v"]).view_names == ("u", "v")
    assert read_labels(tmp_path).view_names == ("side", "top")
    out = tmp_path / "out"
    write_labels(labels, out)
    assert sorted(p.name for p in out.iterdir()) == ["CollectedData_side.csv", "CollectedData_top.csv"]
    again = read_labels([out / "CollectedData_top.csv", out / "CollectedData_side.csv"])
    np.testing.assert_array_equal(again.keypoints(), labels.keypoints())
    assert [f.images for f in again] == [f.images for f in labels]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (HEAD + "t/i1.png,1,2,3,4\n", "1 rows, but .* has 2"),
        (HEAD.replace("b,b", "c,c") + ROWS, "keypoints are a, c, but .* has a, b"),
        (HEAD + ROWS.replace("i2", "i9"), "row 5: image 'labeled-data/s/i9.png' stands beside 'labeled-data/s/i2.png'"),
    ],
)
def test_views_that_do_not_belong_together(other: str, message: str, tmp_path: Path) -> None:
    paths = [put(tmp_path, HEAD + ROWS, "a_x.csv"), put(tmp_path, other, "a_y.csv")]
    with pytest.raises(InputError, match=f"a_y.csv: .*{message}"):
        read_labels(paths)
    with pytest.raises(InputError, match="1 view names"):
        read_labels(paths, view_names=["x"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; expected 3 header rows"),
        (b"\x89PNG\0\0", "not a text file"),
        (b"scorer,\xe9\n" + b"coords,x,y\n", "not UTF-8 text"),
        (ROWS, "no header row with x and y .* expected 3 header rows"),
        ("coords,x,y\ni1.png,1,2\n", "row 1: the rows above 'coords' are missing"),
        ("scorer,ann,ann\ncoords,x,y\ni1.png,1,2\n", "row 2: the header row 'bodyparts' is missing"),
        (HEAD.replace(",", ";"), ".*separated by ';'"),
        (HEAD.replace("a,a,b,b", "a,a,b"), "row 2: 4 cells, but row 3 has 5"),
        (HEAD, "no row below the header"),
        (HEAD + "i1.png,1,2,3\n", "row 4: 4 cells, but the header has 5"),
        (HEAD + ROWS + "i3.png,1,2,3,oops\n", "row 6: y of keypoint 'b' is 'oops'"),
        (HEAD + "\n" + "i3.png,inf,2,3,4\n", "row 5: x of keypoint 'a' is infinite"),
        (HEAD + "i1.png,1,,3,4\n", "row 4: keypoint 'a' has x but no y"),
        (HEAD + "i1.png,1,2,nan,4\n", "row 4: keypoint 'b' has y but no x"),
        (HEAD + ROWS + ROWS, "image 'labeled-data/s/i1.png' is in row 4 and in row 6"),
        (HEAD + ",1,2,3,4\n", "row 4: the image name is empty"),
        (HEAD.replace("a,a,b,b", "a,a,a,a") + ROWS, r"keypoint 'a' has two columns 'x' \(value columns 1 and 3\)"),
        (HEAD.replace("a,a,b,b", "a,a,b,") + ROWS, "value column 4 has no keypoint name"),
        (HEAD.replace("ann,ann,ann,ann", "u,u,v,v") + ROWS, "columns of two scorers, 'u' and 'v'"),
        (HEAD.replace("x,y,x,y", "x,y,x,z") + ROWS, "keypoint 'b' has a column 'z'"),
        (HEAD.replace("x,y,x,y", "x,y,x,likelihood") + ROWS, "keypoint 'b' has no column 'y'"),
        (VISIBLE + "i1.png,1,2,2,3,4,3\n", "row 4: visible of keypoint 'b' is 3"),
        (VISIBLE + "i1.png,1,2,2,,,2\n", r"row 4: keypoint 'b' is marked visible \(2\) but has no coordinates"),
        (
            "scorer,n,n,set\nbodyparts,a,a,\ncoords,x,y,\ni1.png,1,2,trian\n",
            r"row 4: set is 'trian' \(did you mean 'train'\?\)",
        ),
        ("scorer,s,s\nindividuals,m,m\nbodyparts,a,a\ncoords,x,y\ni,1,2\n", "row 2: has individuals"),
    ],
)
def test_bad_files(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"CollectedData.csv: {message}") as caught:
        lightning_pose.read(put(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_rows_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    text = HEAD + '"labeled-data/odd\nname.png",1,2,3,4\ni2.png,1,2,3,x\n'
    with pytest.raises(InputError, match="row 6: y of keypoint 'b' is 'x'"):
        lightning_pose.read(put(tmp_path, text))


def test_words_for_missing_numbers(tmp_path: Path) -> None:
    labels = lightning_pose.read(put(tmp_path, HEAD + "i1.png,NA,NaN,<NA>,None\n"))
    assert np.isnan(labels.keypoints()).all()


def test_single_precision_is_written_shortest(tmp_path: Path) -> None:
    instances = Instances.from_keypoints(np.array([[[[1.1, 2.7]]]], np.float32))
    labels = Labels(Skeleton(("a",)), (Frame((ImageRef(Path("i.png")),), instances),))
    write_labels(labels, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[-1] == "i.png,1.1,2.7"


def test_an_instance_in_another_place_than_the_first(tmp_path: Path) -> None:
    keypoints = np.array([[[[np.nan, np.nan]], [[3.0, 4.0]]]])
    frame = Frame((ImageRef(Path("i.png")),), Instances.from_keypoints(keypoints))
    write_labels(Labels(Skeleton(("a",)), (frame,)), tmp_path / "a.csv")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.csv").keypoints().ravel(), [3, 4])


def test_two_videos_cannot_share_a_table(tmp_path: Path) -> None:
    labels = lightning_pose.read(put(tmp_path, HEAD + "3,1,2,3,4\n4,1,2,3,4\n"))
    videos = [replace(f, images=(ImageRef(Path(f"{n}.mp4"), 3),)) for n, f in enumerate(labels)]
    with pytest.raises(InputError, match="frame 3 of a video would be in this table twice"):
        write_labels(replace(labels, frames=tuple(videos)), tmp_path / "a.csv")
    mixed = (videos[0], replace(labels[1], images=(ImageRef(Path("i.png")),)))
    with pytest.raises(InputError, match="frames of a video and image files"):
        write_labels(replace(labels, frames=mixed), tmp_path / "a.csv")


def test_real_labels(data_dir: Path) -> None:
    path = data_dir / "mirror_mouse" / "CollectedData.csv"
    labels = read_labels(path)
    truth = pd.read_csv(path, header=[0, 1, 2], index_col=0)
    np.testing.assert_array_equal(labels.keypoints().reshape(90, -1), truth.to_numpy())
    assert [f.name for f in labels] == list(truth.index)
    assert all(labels.path(f.images[0]).is_file() for f in labels)
