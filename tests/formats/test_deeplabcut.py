"""DeepLabCut tables, as pandas writes them for DeepLabCut, and its project folders."""

from __future__ import annotations

import os
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from vitruve.errors import InputError
from vitruve.formats import deeplabcut
from vitruve.formats.hub import read_labels, recognise, write_labels
from vitruve.formats.notes import LabelsWarning
from vitruve.structures.instances import Instances
from vitruve.structures.labels import Frame, ImageRef, Labels
from vitruve.structures.skeleton import Skeleton

pytestmark = pytest.mark.filterwarnings("ignore::vitruve.formats.notes.LabelsWarning")

LEVELS = ["scorer", "bodyparts", "coords"]
COLUMNS = pd.MultiIndex.from_product([["rick"], ["nose", "尾"], ["x", "y"]], names=LEVELS)


def table(index: list, seed: int = 0, columns: pd.MultiIndex = COLUMNS) -> pd.DataFrame:
    values = np.random.default_rng(seed).uniform(0, 300, (len(index), len(columns)))
    values[0, :2] = np.nan
    where = pd.MultiIndex.from_tuples(index) if isinstance(index[0], tuple) else index
    return pd.DataFrame(values, index=where, columns=columns)


ONE = [f"labeled-data/s é/img{n}.png" for n in range(3)]
THREE = [tuple(name.split("/")) for name in ONE]


@pytest.mark.parametrize("index", [ONE, THREE])
@pytest.mark.parametrize("kind", ["csv", "fixed", "table"])
def test_both_index_styles_and_all_kinds_of_file(index: list, kind: str, tmp_path: Path) -> None:
    if kind == "table" and index is THREE:
        index = ONE  # pandas itself cannot write this one
    frame = table(index)
    path = tmp_path / "labeled-data" / "s é" / f"CollectedData_rick.{'csv' if kind == 'csv' else 'h5'}"
    path.parent.mkdir(parents=True)
    if kind == "csv":
        frame.to_csv(path)
    else:
        frame.to_hdf(path, key="df_with_missing", mode="w", format=kind)
    labels = read_labels(path)
    assert recognise(path).NAME == "deeplabcut"
    assert labels.skeleton.names == ("nose", "尾") and labels.scorer == "rick"
    assert [f.name for f in labels] == ONE and labels[0].session == "s é"
    assert labels.path(labels[0].images[0]) == tmp_path / ONE[0]
    np.testing.assert_array_equal(labels.keypoints().reshape(3, 4), frame.to_numpy())


MULTI = pd.MultiIndex.from_tuples(
    [("rick", i, b, c) for i in ("m1", "m2") for b in ("nose", "tail") for c in "xy"]
    + [("rick", "single", "lever", c) for c in "xy"],
    names=["scorer", "individuals", "bodyparts", "coords"],
)


@pytest.mark.parametrize("kind", ["csv", "fixed", "table"])
def test_several_animals_and_single(kind: str, tmp_path: Path) -> None:
    frame = table(ONE, columns=MULTI)
    frame.loc[ONE[1], ("rick", "m2")] = np.nan
    path = tmp_path / f"CollectedData_rick.{'csv' if kind == 'csv' else 'h5'}"
    if kind == "csv":
        frame.to_csv(path)
    else:
        frame.to_hdf(path, key="df_with_missing", mode="w", format=kind)
    with pytest.warns(LabelsWarning, match="individuals m1, m2, single are kept as identities 0 to 2"):
        labels = read_labels(path)
    assert labels.skeleton.names == ("nose", "tail", "lever")
    instances = labels[2].instances
    assert instances.keypoints.shape == (1, 3, 3, 2)
    np.testing.assert_array_equal(instances.keypoints[0, :2, :2].ravel(), frame.to_numpy()[2, :8])
    np.testing.assert_array_equal(instances.keypoints[0, 2, 2], frame.to_numpy()[2, 8:])
    np.testing.assert_array_equal(instances.visible[0], [[2, 2, 0], [2, 2, 0], [0, 0, 2]])
    np.testing.assert_array_equal(labels[1].instances.tracks, [[0, -1, 2]])


def test_an_identity_that_has_only_a_box_is_left_out(tmp_path: Path) -> None:
    points = np.full((1, 3, 2, 2), np.nan)
    points[:, :2] = np.arange(8).reshape(1, 2, 2, 2)
    boxes = np.array([[[0.0, 0, 9, 9]] * 3])
    people = replace(Instances.from_keypoints(points), boxes=boxes, tracks=np.array([[4, 1, 9]]))
    frames = tuple(Frame((ImageRef(Path("v.mp4"), index),), people) for index in range(2))
    write_labels(Labels(Skeleton(("a", "b")), frames, tmp_path), tmp_path / "t.csv", format="deeplabcut")
    found = read_labels(tmp_path / "t.csv")
    np.testing.assert_array_equal(found.keypoints()[0, 0], points[0, [1, 0]])


def test_predictions_of_a_video(tmp_path: Path) -> None:
    columns = pd.MultiIndex.from_product([["DLC_net"], ["a"], ["x", "y", "likelihood"]], names=LEVELS)
    frame = table(list(range(4)), columns=columns)
    frame.to_hdf(tmp_path / "vDLC.h5", key="df_with_missing", mode="w", format="table")
    labels = deeplabcut.read(tmp_path / "vDLC.h5", video=Path("v.mp4"))
    assert labels[2].images[0] == ImageRef(Path("v.mp4"), 2)
    np.testing.assert_array_equal(labels.keypoint_scores().ravel(), frame.to_numpy()[:, 2])


def test_whole_numbers_and_other_keys(tmp_path: Path) -> None:
    frame = table(ONE).fillna(0.0).astype({COLUMNS[3]: int, COLUMNS[2]: "float32"})
    for kind in ("fixed", "table"):
        frame.to_hdf(tmp_path / "a.h5", key="keypoints", mode="w", format=kind)
        found = read_labels(tmp_path / "a.h5")
        order = [found.skeleton.names.index(name) for name in ("nose", "尾")]
        np.testing.assert_array_equal(found.keypoints()[..., order, :].reshape(3, 4), frame.to_numpy())


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("attacked",)


@pytest.mark.parametrize("where", ["values", "axis", "attribute", "kind"])
def test_pickles_are_refused(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.h5"
    table(ONE).to_hdf(path, key="df_with_missing", mode="w", format="table" if where == "kind" else "fixed")
    bomb = pickle.dumps(Attack(), 0)
    with h5py.File(path, "r+") as file:
        node = file["df_with_missing"]
        if where == "attribute":
            node.attrs["pandas_type"] = bomb
            file.attrs["TITLE"] = bomb
        elif where == "kind":
            node["table"].attrs["values_block_0_kind"] = bomb
        else:
            name = "block0_values" if where == "values" else "axis1"
            del node[name]
            data = node.create_dataset(name, (1,), h5py.vlen_dtype(np.uint8))
            data[0] = np.frombuffer(bomb, np.uint8)
            data.attrs["PSEUDOATOM"] = b"object"
    with pytest.raises(InputError, match=r"a.h5: .*(pickle, which is never loaded|no pandas table inside)") as caught:
        deeplabcut.read(path)
    assert "\n" not in str(caught.value)
    deeplabcut.sniff(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_object_columns_of_pandas_are_refused(tmp_path: Path) -> None:
    frame = table(ONE).astype(object)
    frame.iloc[0, 0] = "text"
    frame.to_hdf(tmp_path / "a.h5", key="df_with_missing", mode="w")
    with pytest.raises(InputError, match="'block0_values' is stored as a pickle, which is never loaded"):
        read_labels(tmp_path / "a.h5")


def test_damaged_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    table(ONE).to_hdf(path, key="df_with_missing", mode="w")
    whole = path.read_bytes()
    with h5py.File(path, "r+") as file:
        del file["df_with_missing/axis1"]
    with pytest.raises(InputError, match=r"a.h5: the pandas table inside is damaged"):
        read_labels(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a.h5: damaged HDF5 file"):
        read_labels(path)


@pytest.mark.parametrize("kind", ["fixed", "table"])
def test_same_checks_as_csv(kind: str, tmp_path: Path) -> None:
    frame = table([ONE[0], ONE[1], ONE[1]])
    frame.to_hdf(tmp_path / "a.h5", key="df_with_missing", mode="w", format=kind)
    with pytest.raises(InputError, match=r"img1.png' is in row 2 and in row 3"):
        read_labels(tmp_path / "a.h5")
    flat = pd.DataFrame({"x": [1.0], "y": [2.0]}, index=["a.png"])
    flat.to_hdf(tmp_path / "b.h5", key="df_with_missing", mode="w", format=kind)
    with pytest.raises(InputError, match="columns have 1 header levels"):
        read_labels(tmp_path / "b.h5")


def project(root: Path) -> Path:
    for number, session in enumerate(("s1", "s2")):
        folder = root / "labeled-data" / session
        folder.mkdir(parents=True)
        names = [f"C:\\old\\proj\\labeled-data\\{session}\\img{n}.png" for n in range(3)]
        frame = table(names if number else [("labeled-data", session, f"img{n}.png") for n in range(3)], number)
        frame.to_hdf(folder / "CollectedData_rick.h5", key="df_with_missing", mode="w")
        frame.to_csv(folder / "CollectedData_rick.csv")
    (root / "config.yaml").write_text("scorer: rick\nskeleton:\n- [nose, 尾]\n- [nose, gone]\n", encoding="utf-8")
    (root / "labeled-data" / "bare").mkdir()
    (root / "labeled-data" / "s1_labeled").mkdir()
    return root


def test_project_folder(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = read_labels(root)
    said = " | ".join(str(w.message) for w in caught)
    assert "folders without labels were skipped: bare" in said and "['nose', 'gone'] does not name" in said
    assert [f.name for f in labels] == [f"labeled-data/{s}/img{n}.png" for s in ("s1", "s2") for n in range(3)]
    assert labels.skeleton.edges == ((0, 1),) and labels.root == root
    (root / "labeled-data" / "s1" / "CollectedData_rick.csv").unlink()
    with pytest.warns(LabelsWarning):
        again = read_labels(root)
    np.testing.assert_array_equal(again.keypoints(), labels.keypoints())


def test_project_whose_folders_differ(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    columns = pd.MultiIndex.from_product([["rick"], ["尾", "ear"], ["x", "y"]], names=LEVELS)
    other = table([f"labeled-data/s2/img{n}.png" for n in range(3)], 5, columns)
    other.to_csv(root / "labeled-data" / "s2" / "CollectedData_rick.csv")
    with pytest.warns(LabelsWarning, match=r"s2.*has no keypoints nose; they count as unlabelled"):
        labels = read_labels(root)
    assert labels.skeleton.names == ("nose", "尾", "ear")
    np.testing.assert_array_equal(labels.keypoints()[3:, 0, 0, 1:].reshape(3, 4), other.to_numpy())
    assert np.isnan(labels.keypoints()[3:, 0, 0, 0]).all() and np.isnan(labels.keypoints()[:3, 0, 0, 2]).all()


def test_project_of_two_scorers(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    table(THREE).to_csv(root / "labeled-data" / "s1" / "CollectedData_ann.csv")
    with pytest.warns(LabelsWarning, match="only CollectedData_rick was read, not CollectedData_ann"):
        assert len(read_labels(root)) == 6
    (root / "config.yaml").unlink()
    with pytest.raises(InputError, match=r"labels of several scorers \(CollectedData_ann, CollectedData_rick\)"):
        read_labels(root)


def test_project_config_that_is_no_yaml(tmp_path: Path) -> None:
    root = project(tmp_path / "p")
    (root / "config.yaml").write_text("scorer: [\n")
    with pytest.raises(InputError, match=r"config.yaml: line 2: not YAML"):
        read_labels(root)


def test_project_is_written(tmp_path: Path) -> None:
    labels = read_labels(project(tmp_path / "p"))
    write_labels(labels, tmp_path / "q", "deeplabcut")
    assert sorted(p.name for p in (tmp_path / "q").rglob("*") if p.is_file()) == sorted(
        ["CollectedData_rick.csv", "CollectedData_rick.h5"] * 2 + ["config.yaml"]
    )
    for suffix in (".csv", ".h5"):
        found = read_labels(tmp_path / "q")
        np.testing.assert_array_equal(found.keypoints(), labels.keypoints())
        assert found.skeleton == labels.skeleton and found.scorer == "rick"
        for file in (tmp_path / "q").rglob(f"*{suffix}"):
            if suffix == ".csv":
                file.unlink()
    written = pd.read_hdf(tmp_path / "q" / "labeled-data" / "s1" / "CollectedData_rick.h5", "df_with_missing")
    pd.testing.assert_frame_equal(
        written, pd.read_hdf(tmp_path / "p" / "labeled-data" / "s1" / "CollectedData_rick.h5")
    )


def test_project_needs_sessions(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("scorer,s,s\nbodyparts,a,a\ncoords,x,y\nimg.png,1,2\n")
    labels = read_labels(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"image 'img.png': must be named labeled-data/<session>/<image>"):
        write_labels(labels, tmp_path / "q", "deeplabcut")
    with pytest.raises(InputError, match="holds one view, not 2"):
        write_labels(replace(labels, view_names=("a", "b")), tmp_path / "q.csv", "deeplabcut")
    assert not (tmp_path / "q").exists()
