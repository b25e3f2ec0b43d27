"""Print what a fresh process finds in the database, as JSON."""

from __future__ import annotations

import json
from typing import Any

import fiftyone as fo


def keypoints(value: Any) -> Any:
    if value is None:
        return None
    return [
        {key: each[key] for key in ("label", "points", "confidence", "occluded", "pixel_error") if each.has_field(key)}
        for each in value.keypoints
    ]


def plain(document: Any) -> dict[str, Any]:
    """The fields that are not FiftyOne's own."""
    found = {}
    for name in document.field_names:
        value = document[name]
        if isinstance(value, fo.Keypoints):
            found[name] = keypoints(value)
        elif isinstance(value, fo.Group):
            found[name] = value.name
        elif isinstance(value, (str, int, float, list, type(None))) and name != "id":
            found[name] = value
    return found


def described(dataset: fo.Dataset) -> dict[str, Any]:
    whole = dataset.select_group_slices() if dataset.media_type == "group" else dataset
    samples = []
    for sample in whole:
        metadata = sample.metadata.to_dict()
        found = {**plain(sample), "metadata": {key: metadata[key] for key in metadata if not key.startswith("_")}}
        if dataset.media_type == "video":
            found["frames"] = {number: plain(frame) for number, frame in sample.frames.items()}
        samples.append(found)
    skeleton = dataset.default_skeleton
    return {
        "media_type": dataset.media_type,
        "persistent": dataset.persistent,
        "skeleton": None if skeleton is None else [skeleton.labels, skeleton.edges],
        "info": dataset.info,
        "samples": samples,
    }


if __name__ == "__main__":
    found = {name: described(fo.load_dataset(name)) for name in fo.list_datasets()}
    shown = fo.load_dataset("shown")
    worst = [sample.tags for sample in shown.sort_by("base_max_error", reverse=True)]
    confident = shown.filter_keypoints("base_preds", filter=fo.ViewField("confidence") > 0.72)
    tails = shown.filter_keypoints("base_preds", labels=["tail"])
    views = {
        "worst": worst,
        "confident": [keypoints(sample.base_preds) for sample in confident],
        "tails": [keypoints(sample.base_preds) for sample in tails],
    }
    print(json.dumps({"datasets": found, "views": views}))
