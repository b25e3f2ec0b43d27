"""Finished predictions as they lie on disk."""

from __future__ import annotations

import json
from pathlib import Path

from vitruve.app.place import Place
from vitruve.app.prediction.results import find_results, header_rows, read_rows, row_count
from vitruve.app.projects import AppProject
from vitruve.formats.coordinates_3d import PredictionInfo, header_lines, write_info

HEAD = "scorer,net,net,net\nbodyparts,a,a,a\ncoords,x,y,likelihood\n"


def _table(folder: Path, stem: str, rows: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{stem}.csv"
    table.write_text(HEAD + "".join(f"{n},{n}.5,2,0.9\n" for n in range(rows)))
    (folder / f".{stem}.json").write_text(json.dumps({"source": "ab"}))
    return table


def test_tables_with_their_files(place: Place) -> None:
    assert place.project is not None
    folder = place.project.path / "outputs" / "first" / "video_preds"
    for old in folder.rglob(".*.json"):
        old.unlink()
    table = _table(folder, "v", 3)
    _table(folder, "v_frames_1_2", 2)
    (folder / ".w.part.json").write_text("{}")
    (folder / "w.csv").write_text(HEAD)
    (folder / "v_temporal_norm.csv").write_text(",a\n0,1\n")
    (folder / "labeled_videos").mkdir(exist_ok=True)
    (folder / "labeled_videos" / "v_labeled.mp4").touch()
    found = {result.source: result for result in find_results(place.project)}
    assert {"v", "v_frames_1_2"} <= set(found)
    assert "w" not in found
    assert [path.name for path in found["v"].files] == ["v.csv", "v_temporal_norm.csv", "v_labeled.mp4"]
    assert found["v"].table == table and found["v"].made_by == "outputs/first"
    assert [path.name for path in found["v"].videos] == ["v_labeled.mp4"]


def test_folders_of_a_rig(tmp_path: Path) -> None:
    folder = tmp_path / "predictions" / "predictions3D" / "Predictions_3D_20260101-000000"
    folder.mkdir(parents=True)
    (folder / "data3D.csv").write_text("\n".join(header_lines(["a"])) + "\n1,2,3,0.5\nNaN,NaN,NaN,NaN\n")
    (folder / "log.csv").write_text("frame,reason,A\n0,,1\n")
    write_info(PredictionInfo("/rec", None, 7, 2), folder / "info.yaml")
    (result,) = find_results(AppProject(tmp_path, "rig"))
    assert (result.dims, result.source, result.made_by) == (3, "rec", folder.name)
    assert [path.name for path in result.files] == ["data3D.csv", "info.yaml", "log.csv"]
    assert row_count(result.table) == 2
    rows = read_rows(result.table, 0, 10)
    assert list(rows) == ["frame", "a x", "a y", "a z", "a confidence"]
    assert rows["frame"].tolist() == [7, 8] and read_rows(result.table, 1, 10)["frame"].tolist() == [8]
    assert rows["a z"].tolist()[0] == 3.0 and rows["a z"].isna().tolist() == [False, True]
    assert header_rows(folder / "log.csv") == 1


def test_rows_page_by_page(tmp_path: Path) -> None:
    table = _table(tmp_path, "v", 7)
    assert row_count(table) == 7
    rows = read_rows(table, 5, 3)
    assert list(rows) == ["frame", "a x", "a y", "a likelihood"]
    assert rows["frame"].tolist() == [5, 6]
    assert rows["a x"].tolist() == [5.5, 6.5]


def test_rows_of_images_keep_their_names(tmp_path: Path) -> None:
    table = tmp_path / "images.csv"
    table.write_text(HEAD + "x/img1.png,1,2,0.9\n")
    rows = read_rows(table, 0, 5)
    assert rows.iloc[0, 0] == "x/img1.png" and rows["a x"].tolist() == [1]
