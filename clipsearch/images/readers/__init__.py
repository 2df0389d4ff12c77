"""Open pictures of rarer kinds: a reader of Pillow's where it is fast and bounded, else one of this package.

Kinds are detected by the first bytes of a file. Kinds without a magic number, or with one that is only a byte or two,
need their suffix too: any file might be taken for one of them.
"""

from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.reasons import DamagedHeaderError, one_line

_Open: TypeAlias = Callable[[BinaryIO], Image.Image]

# Bytes at the start of a file that tell its kind.
_START_BYTES = 64


def open_rare_kind(file: BinaryIO, suffix: str) -> Image.Image | None:
    """Open a picture without decoding it; icons are decoded, they are small.

    Args:
        file: seekable; its position changes.
        suffix: of its name, in lower case with the dot; "" where it has none.

    Returns:
        None where the file is of none of these kinds.

    Raises:
        ImageReadError: its header is damaged, or it is of a kind that is not supported.
    """
    file.seek(0)
    opener = _find_opener(file.read(_START_BYTES), suffix)
    if opener is None:
        return None
    file.seek(0)
    try:
        return opener(file)
    except (ImageReadError, MemoryError):
        raise
    except NotImplementedError as error:
        raise ImageReadError(f"not supported: {one_line(str(error))}") from error
    except Exception as error:  # readers raise anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedHeaderError("damaged: its header can't be read") from error


def _find_opener(start: bytes, suffix: str) -> _Open | None:
    return next((opener for magic, opener in _BY_MAGIC if start.startswith(magic)), None) or _find_weak(start, suffix)


def _find_weak(start: bytes, suffix: str) -> _Open | None:
    known = _BY_SUFFIX.get(suffix)
    if known is not None and known[0](start):
        return known[1]
    if start[30:38] == b"mimetype":  # the first member of the zip file, not compressed
        return _open_layered
    return None


def _open_photoshop(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.photoshop import PhotoshopFile

    return PhotoshopFile(file)


def _open_layered(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.layered import open_merged

    return open_merged(file)


def _open_icon(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.icons import open_windows_icon

    return open_windows_icon(file)


def _open_mac_icon(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.icons import open_mac_icon

    return open_mac_icon(file)


def _open_fits(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.fits import FitsFile

    return FitsFile(file)


def _open_texture(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.textures import open_texture

    return open_texture(file)


def _open_targa(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.textures import TargaFile

    return TargaFile(file)


def _open_jpeg_xl(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.jpeg_xl import JpegXlFile

    return JpegXlFile(file)


def _open_svg(file: BinaryIO) -> Image.Image:
    from clipsearch.images.readers.svg import open_svg

    return open_svg(file)


def _open_qoi(file: BinaryIO) -> Image.Image:
    from PIL.QoiImagePlugin import QoiImageFile

    return _limited(QoiImageFile(file))


def _open_pixmap(file: BinaryIO) -> Image.Image:
    from PIL.XpmImagePlugin import XpmImageFile

    return _limited(XpmImageFile(file))


def _open_bitmap(file: BinaryIO) -> Image.Image:
    from PIL.XbmImagePlugin import XbmImageFile

    return XbmImageFile(file)


def _open_paintbrush(file: BinaryIO) -> Image.Image:
    from PIL.PcxImagePlugin import PcxImageFile

    return PcxImageFile(file)


def _open_sgi(file: BinaryIO) -> Image.Image:
    from PIL.SgiImagePlugin import SgiImageFile

    return SgiImageFile(file)


# Pillow decodes these pixel by pixel in Python, in up to two seconds a megapixel.
# Source: python -m tests.benchmarks.stills
_MAX_SLOW_MEGAPIXELS = 2.0


def _limited(image: Image.Image) -> Image.Image:
    megapixels = image.width * image.height / 1e6
    if megapixels > _MAX_SLOW_MEGAPIXELS:
        raise ImageReadError(
            f"not supported: {image.format} of more than {_MAX_SLOW_MEGAPIXELS:g} megapixels, it has {megapixels:.1f}"
        )
    return image


_BY_MAGIC: tuple[tuple[bytes, _Open], ...] = (
    (b"8BPS", _open_photoshop),
    (b"DDS ", _open_texture),
    (b"\0\0\1\0", _open_icon),
    (b"icns", _open_mac_icon),
    (b"SIMPLE  =", _open_fits),
    (b"qoif", _open_qoi),
    (b"/* XPM */", _open_pixmap),
    (b"\xff\x0a", _open_jpeg_xl),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _open_jpeg_xl),
)

# Suffix: whether the first bytes may be of that kind, and its opener.
_BY_SUFFIX: dict[str, tuple[Callable[[bytes], bool], _Open]] = {
    # Source: Truevision TGA 2.0, C.1: type of colour map and of image, bits of a pixel.
    ".tga": (
        lambda start: (
            len(start) > 17
            and (start[1], start[2]) in {(0, 2), (0, 3), (0, 10), (0, 11), (1, 1), (1, 9), (1, 2), (1, 10)}
            and start[16] in (8, 16, 24, 32)
        ),
        _open_targa,
    ),
    ".pcx": (lambda start: start[:1] == b"\n" and start[1:2] in (b"\0", b"\2", b"\3", b"\5"), _open_paintbrush),
    ".sgi": (lambda start: start[:2] == b"\x01\xda", _open_sgi),
    ".xbm": (lambda start: start.lstrip().startswith((b"#define", b"/*")), _open_bitmap),
    ".svg": (lambda start: start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")[:1] == b"<", _open_svg),
    ".svgz": (lambda start: start[:2] == b"\x1f\x8b", _open_svg),
    ".cur": (lambda start: start[:4] == b"\0\0\2\0", _open_icon),
}
