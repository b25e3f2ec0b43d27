from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smoothing.walks import members, names, walk, write_table
from vitruve.errors import InputError
from vitruve.formats import lightning_pose
from vitruve.formats.hub import write_labels
from vitruve.formats.table import write_h5
from vitruve.smoothing.members import (
    camera_words,
    common_name,
    find_recordings,
    group_by_camera,
    read_members,
    recording_name,
)

TRUTH = walk(20, 3)


def test_files_of_a_folder_are_members_but_other_tables_are_not(tmp_path: Path) -> None:
    files = [write_table(tmp_path / f"a{n}.csv", TRUTH) for n in range(2)]
    (tmp_path / "a0_pixel_error.csv").write_text(",part0,part1\n0,1.0,2.0\n")
    own = (tmp_path / "a0.csv").read_text().replace("net", "ensemble-kalman_tracker")
    (tmp_path / "a.csv").write_text(own)
    (tmp_path / "notes.txt").write_text("x")
    assert find_recordings([tmp_path]) == [files]


def test_one_table_in_two_formats_and_its_filtered_copy_are_one_member(tmp_path: Path) -> None:
    """DeepLabCut writes every table as CSV and HDF5, and its median filter writes both again."""
    files = []
    for net in ("clipDLC_a", "clipDLC_b"):
        files.append(write_table(tmp_path / f"{net}.csv", TRUTH))
        write_h5(files[-1], tmp_path / f"{net}.h5")
        write_h5(write_table(tmp_path / f"{net}_filtered.csv", TRUTH), tmp_path / f"{net}_filtered.h5")
    assert find_recordings([tmp_path]) == [files]
    (tmp_path / "clipDLC_a.csv").unlink()
    assert find_recordings([tmp_path]) == [[tmp_path / "clipDLC_a.h5", files[1]]]


def test_of_several_folders_each_is_one_member(tmp_path: Path) -> None:
    for net in ("one", "two"):
        for video in ("b", "a"):
            write_table(tmp_path / net / f"{video}.csv", TRUTH)
    found = find_recordings([tmp_path / "one", tmp_path / "two"])
    assert found == [[tmp_path / net / f"{video}.csv" for net in ("one", "two")] for video in ("a", "b")]
    (tmp_path / "two" / "a.csv").unlink()
    with pytest.raises(InputError, match=r"two: holds no predictions named a,"):
        find_recordings([tmp_path / "one", tmp_path / "two"])


def test_cameras_are_told_apart_by_their_names() -> None:
    files = [Path(f"x_{camera}_{n}.csv") for n in range(2) for camera in ("cam1", "cam10", "side")]
    groups = group_by_camera(files, ("cam10", "cam1", "side"))
    assert {name: [file.name for file in found] for name, found in groups.items()} == {
        "cam10": ["x_cam10_0.csv", "x_cam10_1.csv"],
        "cam1": ["x_cam1_0.csv", "x_cam1_1.csv"],
        "side": ["x_side_0.csv", "x_side_1.csv"],
    }
    with pytest.raises(InputError, match="names none of the cameras"):
        group_by_camera(files, ("cam1",))
    with pytest.raises(InputError, match="no file of camera 'top'"):
        group_by_camera(files, ("cam10", "cam1", "side", "top"))
    with pytest.raises(InputError, match="names the cameras x_ and am and"):
        group_by_camera([Path("x_cam1.csv")], ("x_", "am", "m1"))


def test_common_names() -> None:
    assert common_name([Path("a/v1.csv"), Path("b/v1.csv")]) == "v1"
    assert common_name([Path("v_seed=0.csv"), Path("v_seed=1.csv")]) == "v_seed"
    assert common_name([Path("a.csv"), Path("b.csv")]) == "smoothed"


def test_recordings_keep_what_follows_the_camera() -> None:
    def named(*stems: str) -> str:
        cameras = ("Cam-A", "Cam-B")
        return recording_name(group_by_camera([Path(f"{stem}.csv") for stem in stems], cameras))

    assert named("A_Cam-A_x", "A_Cam-B_x") == "A_x"
    assert named("A_Cam-A_y_rng=0", "A_Cam-A_y_rng=1", "A_Cam-B_y_rng=0", "A_Cam-B_y_rng=1") == "A_y_rng"
    assert named("Cam-A.x", "Cam-B.x") == "x"
    assert named("Cam-A", "Cam-B") == "smoothed"


def test_names_of_cameras_are_recognised() -> None:
    def words(*stems: str) -> tuple[str, ...]:
        return camera_words([Path(f"{stem}.csv") for stem in stems])

    assert words("f_Cam-A_rot_0", "f_Cam-A_rot_1", "f_Cam-B_rot_0") == ("Cam-A", "Cam-B")
    assert words("s.left.0", "s.right.0") == ("left", "right")
    assert words("top_cam1_0", "top_cam2_0") == ("cam1", "cam2")
    assert words("f_Cam-A_0", "f_Cam-A_1") == ()
    assert words("f_Cam-A_0", "f_1") == ()
    assert words("upleft_camel0", "upright_camel1") == ()


def test_members_of_several_formats_are_the_same(tmp_path: Path) -> None:
    drawn = members(TRUTH, 2).round(4)
    plain = write_table(tmp_path / "a.csv", drawn[0])
    write_h5(plain, tmp_path / "a.h5")
    write_labels(lightning_pose.read(plain, video=Path("clip.mp4")), tmp_path / "a.slp", "sleap")
    found = read_members([plain, tmp_path / "a.h5", tmp_path / "a.slp"])
    assert found.index == tuple(range(20)) and found.names == tuple(names(3))
    np.testing.assert_allclose(found.keypoints, np.repeat(drawn[:1], 3, 0), atol=1e-4)
    assert found.scores is not None
    np.testing.assert_allclose(found.scores, 0.9, atol=1e-6)
    few = lightning_pose.read(plain, video=Path("clip.mp4"))[[2, 3, 7]]
    write_labels(few, tmp_path / "few.slp", "sleap")
    listed = read_members([plain, tmp_path / "few.slp"])
    assert listed.index == tuple(range(20))
    assert np.flatnonzero(np.isfinite(listed.keypoints[1]).all((1, 2))).tolist() == [2, 3, 7]


def test_keypoints_in_another_order_are_sorted(tmp_path: Path) -> None:
    a = write_table(tmp_path / "a.csv", TRUTH)
    b = write_table(tmp_path / "b.csv", TRUTH[:, [2, 0, 1]], ["part2", "part0", "part1"])
    found = read_members([a, b])
    np.testing.assert_array_equal(found.keypoints[0], found.keypoints[1])


def test_members_that_do_not_go_together(tmp_path: Path) -> None:
    a = write_table(tmp_path / "a.csv", TRUTH)
    for other, words in (
        (write_table(tmp_path / "b.csv", TRUTH, ["part0", "part1", "nose"]), "keypoint 'nose' is not in both"),
        (write_table(tmp_path / "c.csv", TRUTH[:15]), "15 frames, but"),
        (write_table(tmp_path / "d.csv", TRUTH[:1]), "one frame"),
    ):
        with pytest.raises(InputError, match=words):
            read_members([a, other])
    late = write_table(tmp_path / "e.csv", TRUTH)
    head, rows = late.read_text().split("\n0,")
    late.write_text(
        head + "\n" + "\n".join(f"{n}{row[row.index(',') :]}" for n, row in enumerate(("0," + rows).splitlines(), 1))
    )
    with pytest.raises(InputError, match="row 4 is frame '1', but '0'"):
        read_members([a, late])
    with pytest.raises(InputError, match=r"a\.csv: is given twice"):
        read_members([a, tmp_path / "x" / ".." / "a.csv"])
    gap = write_table(tmp_path / "f.csv", TRUTH)
    gap.write_text(gap.read_text().replace("\n7,", "\n77,"))
    with pytest.raises(InputError, match="row 11 is frame 77, but the one before is frame 6"):
        read_members([gap])
    several = tmp_path / "several.csv"
    several.write_text(
        "scorer,n,n,n,n\nindividuals,a,a,b,b\nbodyparts,p,p,p,p\ncoords,x,y,x,y\n0,1,2,3,4\n1,1,2,3,4\n",
    )
    with pytest.raises(InputError, match="2 animals"):
        read_members([several])
