"""'COCO Keypoints 1.0' as CVAT exports it: what is outside keeps its coordinates, tracks stand in attributes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from annotation.conftest import png
from vitruve.formats.hub import read_labels, recognise


def export(folder: Path) -> Path:
    """The files of an export, unpacked."""
    keypoints = [5.5, 6.5, 2, 9.0, 9.0, 0, 1.0, 2.0, 1]
    shared = {"category_id": 1, "iscrowd": 0, "area": 81.0, "bbox": [1.0, 1.0, 9.0, 9.0], "num_keypoints": 2}
    annotations = [
        {
            "id": number,
            "image_id": number,
            **shared,
            "segmentation": [],
            "keypoints": keypoints,
            "attributes": {"occluded": False, "track_id": 7, "keyframe": True},
        }
        for number in (1, 2)
    ]
    content = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""},
        "categories": [
            {
                "id": 1,
                "name": "mouse",
                "supercategory": "",
                "keypoints": ["nose", "tail", "ear"],
                "skeleton": [[1, 2], [1, 3]],
            }
        ],
        "images": [
            {"id": number, "width": 40, "height": 30, "file_name": f"{number}.png", "license": 0} for number in (1, 2)
        ],
        "annotations": annotations,
    }
    for number in (1, 2):
        place = folder / "images/default" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png())
    (folder / "annotations").mkdir()
    (folder / "annotations/person_keypoints_default.json").write_text(json.dumps(content))
    return folder


def test_an_export_is_read(tmp_path: Path) -> None:
    folder = export(tmp_path)
    assert recognise(folder).NAME == "coco"
    labels = read_labels(folder)
    assert labels.skeleton.names == ("nose", "tail", "ear")
    assert labels.skeleton.edges == ((0, 1), (0, 2))
    assert labels.categories == ("mouse",)
    for frame in labels:
        assert labels.path(frame.first_image).is_file()
        found = frame.instances
        np.testing.assert_array_equal(found.keypoints[0, 0], [[5.5, 6.5], [np.nan, np.nan], [1, 2]])
        assert found.visible[0, 0].tolist() == [2, 0, 1]
        assert found.tracks is not None and found.tracks.tolist() == [[7]]
