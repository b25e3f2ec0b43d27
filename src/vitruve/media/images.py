"""Reading and writing single images: whatever the file holds, 8-bit RGB comes out.

Pixels are given as they are stored. The EXIF orientation is ignored, in :func:`read_image` as in
:func:`image_size`, because labelling programs store coordinates of the raw pixels; videos are treated the
same way.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from vitruve.atomic import atomic_write
from vitruve.errors import InputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""Lower-case suffixes of the files that are taken for images when a folder is read."""

_FULL_16_BIT = 65535
_FULL_12_BIT = 4095

# ANYDEPTH keeps 16 bits, COLOR spreads grey and drops alpha, and without the last flag cv2 turns by EXIF. Not
# COLOR_RGB: with it OpenCV 4.14 reads wrong pixels from 16-bit colour TIFF.
_READ_FLAGS = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION

_HOW_TO_MEND = "copy it again from its source or remove it from the labels"


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Read an image file as 8-bit RGB.

    Grey is repeated over the three channels, alpha is dropped, palettes are looked up and CMYK is converted
    (by the plain formula, without colour profile). 16-bit values are divided by 257, so that 65535 becomes
    255. A 16-bit image without any value above 4095 is taken for one of a 12-bit camera, and 4095 becomes
    255: as full-range 16 bits it would be black to within 16 grey levels. EXIF orientation is ignored.

    Args:
        path: The image file.

    Returns:
        uint8 array ``(H, W, 3)``, RGB, 0 to 255, contiguous.

    Raises:
        InputError: The file is missing, empty, cut short, damaged, not an image, or of a pixel type without a
            defined range (32 bits).
    """
    path = Path(path)
    content = _read_bytes(path)
    if _is_cut_short(content):
        raise InputError(f"{path}: the image file is cut short ({len(content)} bytes): {_HOW_TO_MEND}")
    image = _decode(content)
    if image is None:
        raise InputError(f"{path}: {_why_not_decoded(path)}")
    if image.dtype == np.uint16:
        full = _FULL_12_BIT if image.max() <= _FULL_12_BIT else _FULL_16_BIT
        return np.asarray(cv2.convertScaleAbs(image, alpha=255 / full), dtype=np.uint8)
    if image.dtype != np.uint8:
        raise InputError(
            f"{path}: pixels of type {image.dtype} have no defined range: convert the image to 8 or 16 bits"
        )
    return np.ascontiguousarray(image, dtype=np.uint8)


def write_image(path: str | Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an image atomically; the suffix chooses the format (PNG without loss, JPEG at quality 95).

    Args:
        path: The file to write; one of :data:`IMAGE_SUFFIXES`. Its folder is made when missing.
        image: uint8 array ``(H, W, 3)`` RGB or ``(H, W)`` grey.

    Raises:
        InputError: The suffix is not that of an image, the array is not an 8-bit image, or the disk is full.
    """
    atomic_write(path, encoded_image(path, image))


def encoded_image(path: str | Path, image: npt.NDArray[np.uint8]) -> bytes:
    """What :func:`write_image` writes.

    Args:
        path: The name of the file.
        image: As for :func:`write_image`.

    Returns:
        The content of the file.

    Raises:
        InputError: The suffix is not that of an image, or the array is not an 8-bit image.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(f"{path}: images are written as {', '.join(sorted(IMAGE_SUFFIXES))}")
    if image.dtype != np.uint8 or image.size == 0 or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise InputError(f"{path}: an image is a uint8 array (H, W, 3) or (H, W), not {image.dtype} {image.shape}")
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(path.suffix.lower(), pixels)
    return encoded.tobytes()


def shrunk(image: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """A smaller copy of an image, averaged over areas.

    Args:
        image: uint8 ``(H, W, 3)`` or ``(H, W)``.
        width: In pixels; 0, or more than the image's own, leaves it as it is.

    Returns:
        In the same proportions.
    """
    height, own = image.shape[:2]
    if not 0 < width < own:
        return image
    size = (width, max(1, round(height * width / own)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def image_size(path: str | Path) -> tuple[int, int]:
    """Read the size of an image from its header, without decoding the pixels.

    Args:
        path: The image file.

    Returns:
        ``(width, height)`` in px of the stored pixels, EXIF orientation ignored.

    Raises:
        InputError: The file is missing, empty or not an image.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        _read_bytes(path)
        raise InputError(f"{path}: not an image ({_HOW_TO_MEND})") from error


def _read_bytes(path: Path) -> npt.NDArray[np.uint8]:
    # np.fromfile and not cv2.imread: the latter cannot open every Unicode path on Windows.
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such image; check the path and the data folder") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); an image file is needed") from error
    if content.size == 0:
        raise InputError(f"{path}: the image file is empty (0 bytes): {_HOW_TO_MEND}")
    return content


def _is_cut_short(content: npt.NDArray[np.uint8]) -> bool:
    """Whether a PNG or JPEG lacks its end marker (found before the codec prints about it on its own)."""
    start, end = content[:8].tobytes(), content[-65536:].tobytes()
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" not in end
    if start.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" not in end
    return False


def _decode(content: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic] | None:
    try:
        image = cv2.imdecode(content, _READ_FLAGS)
        return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    except cv2.error:
        return None


def _why_not_decoded(path: Path) -> str:
    try:
        with Image.open(path) as image:
            if image.mode in ("F", "I"):
                return "32-bit pixels have no defined range: convert the image to 8 or 16 bits"
            return f"the {image.format} image is damaged or cut short: {_HOW_TO_MEND}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return f"not an image; {', '.join(sorted(IMAGE_SUFFIXES))} files are read ({_HOW_TO_MEND})"
