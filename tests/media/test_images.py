from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vitruve.errors import InputError
from vitruve.media.images import image_size, read_image, write_image


@pytest.fixture
def scene() -> np.ndarray:
    """Smooth colours (so that JPEG is close) without any symmetry, 31 rows by 46 columns."""
    rows, columns = np.mgrid[:31, :46]
    return np.stack([columns * 5, rows * 8, 255 - rows * 3 - columns * 2], axis=2).astype(np.uint8)


def test_rgb_is_read_exactly_and_contiguous(tmp_path: Path, scene: np.ndarray) -> None:
    for name in ("a.png", "a.bmp", "a.tif"):
        Image.fromarray(scene).save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.dtype == np.uint8 and image.flags.c_contiguous
        np.testing.assert_array_equal(image, scene)
        assert image_size(tmp_path / name) == (46, 31)


def test_unicode_path(tmp_path: Path, scene: np.ndarray) -> None:
    path = tmp_path / "Mäuse 鼠" / "bild é.png"
    write_image(path, scene)
    np.testing.assert_array_equal(read_image(str(path)), scene)
    assert image_size(path) == (46, 31)


def test_grey_and_alpha(tmp_path: Path, scene: np.ndarray) -> None:
    grey = Image.fromarray(scene[..., 0])
    half_clear = Image.fromarray(np.full((31, 46), 40, np.uint8))
    expected = np.repeat(scene[..., :1], 3, axis=2)
    grey.save(tmp_path / "grey.png")
    Image.merge("LA", (grey, half_clear)).save(tmp_path / "grey_alpha.png")
    for name in ("grey.png", "grey_alpha.png"):
        np.testing.assert_array_equal(read_image(tmp_path / name), expected)
    rgba = np.dstack([scene, np.full((31, 46), 40, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png"), scene)


def test_one_bit(tmp_path: Path, scene: np.ndarray) -> None:
    bits = scene[..., 0] > 90
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png"), np.repeat(bits[..., None], 3, 2) * np.uint8(255))


def test_palette(tmp_path: Path, scene: np.ndarray) -> None:
    paletted = Image.fromarray(scene).quantize(16)
    for name in ("palette.png", "palette.bmp"):
        paletted.save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name), np.asarray(paletted.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_full_range_16_bit_is_divided_by_257(tmp_path: Path, suffix: str, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (20, 30, channels), dtype=np.uint16)
    values[0, 0], values[0, 1] = 65535, 0
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), values[..., ::-1])
    expected = np.rint(np.broadcast_to(values, (20, 30, 3)) / 257).astype(np.uint8)
    np.testing.assert_array_equal(read_image(path), expected)
    assert image_size(path) == (30, 20)


def test_12_bits_in_16_fill_the_range(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (20, 30), dtype=np.uint16)
    values[0, 0], values[0, 1] = 4095, 0
    cv2.imwrite(str(tmp_path / "camera.png"), values)
    image = read_image(tmp_path / "camera.png")
    np.testing.assert_array_equal(image[..., 1], np.rint(values * (255 / 4095)).astype(np.uint8))
    assert image[0, 0, 0] == 255
    values[0, 2] = 4096
    cv2.imwrite(str(tmp_path / "dark.png"), values)
    assert read_image(tmp_path / "dark.png").max() == 16


@pytest.mark.parametrize("name", ["cmyk.jpg", "cmyk.tif"])
def test_cmyk(tmp_path: Path, scene: np.ndarray, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(scene).convert("CMYK").save(path, quality=98)
    with Image.open(path) as image:
        assert image.mode == "CMYK"
        expected = np.asarray(image.convert("RGB"))
    read = read_image(path)
    assert np.abs(read.astype(int) - expected).max() <= 2
    assert np.abs(read.astype(int) - scene).mean() < 3


def test_exif_orientation_is_ignored(tmp_path: Path, scene: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, tolerance in (("turned.jpg", 12), ("turned.png", 0)):
        Image.fromarray(scene).save(tmp_path / name, exif=exif, quality=98, subsampling=0)
        image = read_image(tmp_path / name)
        assert image.shape == scene.shape
        assert np.abs(image.astype(int) - scene).max() <= tolerance
        assert image_size(tmp_path / name) == (46, 31)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_truncated(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    path = tmp_path / f"image{suffix}"
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut short|not an image") as caught:
        read_image(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_end_of_zeros(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    path = tmp_path / f"image{suffix}"
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))
    with pytest.raises(InputError, match="cut short"):
        read_image(path)


def test_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="PNG image is damaged"):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_bad_files(tmp_path: Path, read: object) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("x,y\n1,2\n" * 50)
    (tmp_path / "folder.png").mkdir()
    for name, message in {
        "missing.png": "no such image",
        "empty.png": "empty",
        "text.png": "not an image",
        "folder.png": "cannot be read",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            read(tmp_path / name)  # type: ignore[operator]
        assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_pixels_without_a_range_are_refused(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "deep.tif"
    Image.fromarray(np.linspace(0, 100_000, 600).reshape(20, 30).astype(kind)).save(path)
    with pytest.raises(InputError, match="8 or 16 bits"):
        read_image(path)


def test_written_images_come_back(tmp_path: Path, scene: np.ndarray) -> None:
    write_image(tmp_path / "new" / "a.png", scene)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), scene)
    write_image(tmp_path / "g.png", scene[..., 1])
    np.testing.assert_array_equal(read_image(tmp_path / "g.png"), np.repeat(scene[..., 1:2], 3, 2))
    write_image(tmp_path / "a.JPG", scene)
    assert np.abs(read_image(tmp_path / "a.JPG").astype(int) - scene).mean() < 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.JPG", "g.png", "new"]


def test_refused_writes_leave_nothing(tmp_path: Path, scene: np.ndarray) -> None:
    for name, image in {
        "a.xyz": scene,
        "b.png": scene.astype(np.float32),
        "c.png": scene[..., :2],
        "d.png": scene[:0],
    }.items():
        with pytest.raises(InputError, match=name):
            write_image(tmp_path / name, image)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
