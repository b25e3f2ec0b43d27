"""Which part of each image a training looks at: boxes for labelled frames and for unlabelled video."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vitruve.config.schema import Config
from vitruve.data.crops import boxes_files, keep_boxes, with_label_boxes, with_table_boxes
from vitruve.data.images import ImageCache
from vitruve.errors import ConfigError
from vitruve.formats.bbox_file import boxes_file
from vitruve.inference.locate import NetworkLocator, TableLocator, anchor_columns
from vitruve.inference.open import open_run
from vitruve.media.recordings import Recording
from vitruve.run import RunFiles
from vitruve.structures.labels import Labels


@dataclass(frozen=True)
class Cropping:
    """Knows where boxes come from in one training.

    Attributes:
        config: All settings.
        run: The run; what it keeps is taken from there when a training goes on.
    """

    config: Config
    run: RunFiles | None = None

    def labels(self, labels: Labels, cache: ImageCache) -> Labels:
        """Labels whose images have a box, where the settings ask for crops.

        Args:
            labels: All frames, with the sizes of their images.
            cache: Decoded images.

        Returns:
            The same frames.

        Raises:
            VitruveError: A table has no box for an image, or the locator cannot be used or finds nothing in any image.
        """
        if not self.config.cropped:
            return labels
        kept = [] if self.run is None else boxes_files(self.run.path, labels)
        if kept and all(file.is_file() for file in kept):
            return with_table_boxes(labels, kept)
        if self.config.data.bbox_file is None and not self.config.crop.from_labels:
            return self._locator().locate(labels, cache, needed=True)
        return self._without_locator(labels)

    def unseen(self, labels: Labels) -> Labels:
        """Labels that are predicted after training; their boxes are the locator's to find, where there is one.

        Args:
            labels: With the sizes of their images.

        Returns:
            The same frames; with boxes where there is no locator.

        Raises:
            InputError: ``data.bbox_file`` has no box for an image.
        """
        if not self.config.cropped or self.config.crop.locator is not None:
            return labels
        return self._without_locator(labels)

    def _without_locator(self, labels: Labels) -> Labels:
        data, crop = self.config.data, self.config.crop
        if data.bbox_file is None:
            return with_label_boxes(labels, crop, anchor_columns(crop, labels.skeleton), self._aspect)
        files = (data.bbox_file,) if isinstance(data.bbox_file, str) else data.bbox_file
        return with_table_boxes(labels, [(data.data_dir or Path()) / file for file in files])

    def videos(self, recordings: Sequence[Recording]) -> Mapping[Path, Float[np.ndarray, "T 4"]]:
        """Boxes of unlabelled videos: those of ``<video>_bbox.csv`` beside each, or else the locator's.

        Args:
            recordings: The videos.

        Returns:
            Edges, one row a frame, by video; nothing where whole images are looked at.

        Raises:
            ConfigError: A video has no boxes, and there is no locator.
            InputError: A table does not belong to its video.
        """
        if not self.config.cropped:
            return {}
        found, locator = {}, None
        for path in (path for recording in recordings for path in recording):
            if (path.parent / boxes_file(path.stem)).is_file():
                found[path] = TableLocator(path.parent).of_video(path).edges
                continue
            if locator is None:
                locator = self._locator(path)
            with closing(locator.follow(path)) as instants:
                found[path] = np.array([shot.frame.images[0].box for shot in instants])
        return found

    def keep(self, labels: Labels) -> None:
        """Put into the run what prediction with the locator needs, and the boxes of the labelled frames.

        Args:
            labels: As :meth:`labels` gave them.
        """
        if self.run is None or not self.config.cropped:
            return
        keep_boxes(labels, self.run.path)
        source = self.config.crop.locator
        if source is not None and not self.run.locator.is_dir():
            _copy_run(RunFiles(source), RunFiles(self.run.locator))

    def _locator(self, video: Path | None = None) -> NetworkLocator:
        place = self.config.crop.locator
        if self.run is not None and self.run.locator.is_dir():
            place = self.run.locator
        if place is None:
            raise ConfigError(
                f"crop.locator: not set, so there are no boxes for the unlabelled video {video}; set it to a run, or "
                f"put {boxes_file(video.stem) if video else 'tables of boxes'} beside the video"
            )
        opened = open_run(place, frames_expected=0)
        return NetworkLocator(opened.predictor, self.config.crop, self._aspect, opened.identity)

    @property
    def _aspect(self) -> float:
        """Width over height of the network's input; a square where boxes decide its size."""
        dims = self.config.data.image_resize_dims
        return 1.0 if dims.width is None or dims.height is None else dims.width / dims.height


def crop_record(config: Config) -> dict[str, Any] | None:
    """What ``model.json`` says of the crops that a network was trained on; None for whole images."""
    if not config.cropped:
        return None
    file = config.data.bbox_file
    source = "table" if file is not None else "labels" if config.crop.from_labels else "locator"
    files = [file] if isinstance(file, str) else file
    return {"boxes": source, "bbox_file": files and list(files), **config.crop.model_dump(mode="json")}


def _copy_run(source: RunFiles, target: RunFiles) -> None:
    source.read_model()
    partial = target.path.with_name(f".{target.path.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for file in (source.config, source.weights, source.model, source.samples):
        if file.is_file():
            shutil.copyfile(file, partial / file.name)
    if source.locator.is_dir():
        _copy_run(RunFiles(source.locator), RunFiles(partial / source.locator.name))
    # Whole or not there: an interrupted training must not go on with half a locator.
    partial.replace(target.path)
