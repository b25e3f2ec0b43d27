"""Which library reads a video: all give the same frames by the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from vitruve.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from vitruve.media.video import VideoReader

ReaderName = Literal["pyav", "torchcodec"]
"""``pyav`` comes with this package and reads every file; ``torchcodec`` comes with the extra ``video``."""

READERS: tuple[ReaderName, ...] = get_args(ReaderName)
"""All names, the portable one first."""


def reader_class(name: ReaderName) -> type[VideoReader]:
    """The reader of a name, made ready: what it lacks is said here and not at the first frame.

    Args:
        name: One of :data:`READERS`.

    Returns:
        The class, to be called with the path of a video.

    Raises:
        MissingExtraError: The library is not installed.
        ConfigError: It is installed but cannot be loaded.
    """
    if name == "pyav":
        from vitruve.media.video import VideoReader

        return VideoReader
    try:
        import torchcodec

        loaded = torchcodec.ffmpeg_major_version is not None
    except ImportError:
        raise MissingExtraError("torchcodec", "video", f"dali.general.reader={name}") from None
    except RuntimeError:
        loaded = False
    if not loaded:
        raise ConfigError(
            f"dali.general.reader={name}: torchcodec is installed but does not load; it needs FFmpeg 4 to 9 as shared "
            "libraries (apt install ffmpeg) and the torch it was built for; or write reader: pyav"
        )
    from vitruve.media.torchcodec_reader import TorchcodecReader

    return TorchcodecReader
