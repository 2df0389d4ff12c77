"""Read the markers of a JPEG: its coding, and which of its scans are present."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Source: ITU-T T.81, table B.1, and T.87 for JPEG-LS.
_UNUSUAL_FRAMES = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "lossless"),
    **dict.fromkeys((0xC9, 0xCA, 0xCD, 0xCE), "arithmetic coding"),
    **dict.fromkeys((0xC5, 0xC6), "hierarchical"),
    0xF7: "JPEG-LS",
}
_SEQUENTIAL_FRAMES, _PROGRESSIVE_FRAME, _SCAN, _END = (0xC0, 0xC1), 0xC2, 0xDA, 0xD9
# Markers with a segment, and the end; within a scan 0xFF is followed only by 0 or a restart marker (D0 to D7).
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")

_COEFFICIENTS = 64


@dataclass(frozen=True, slots=True)
class _Scan:
    """Header of one scan. Source: ITU-T T.81, B.2.3.

    Attributes:
        components: numbers of the colour components.
        first: first coefficient, 0 to 63; coefficient 0 is the mean of a block of 8 × 8 samples.
        last: last coefficient.
        low_bit: lowest bit of the coefficients that is known after this scan; 0: all bits are.
    """

    components: tuple[int, ...]
    first: int
    last: int
    low_bit: int


@dataclass(frozen=True, slots=True)
class JpegScans:
    """The scans of a truncated JPEG.

    Attributes:
        components: numbers of the colour components, brightness first.
        scans: those that are present; the last may be truncated.
    """

    components: tuple[int, ...]
    scans: tuple[_Scan, ...]

    @property
    def lacks_scans(self) -> bool:
        """Whether some detail or colours are in scans that are missing entirely."""
        known = {
            (component, coefficient)
            for scan in self.scans
            if scan.low_bit == 0
            for component in scan.components
            for coefficient in range(scan.first, scan.last + 1)
        }
        return len(known) < len(self.components) * _COEFFICIENTS

    @property
    def has_detail(self) -> bool:
        """Whether the brightness has more than the means of blocks.

        It has after a complete scan, or with a scan that holds all coefficients of a block at once, so that the number
        of decoded rows tells how much of it is present.
        """
        brightness = self.components[0]
        return any(
            brightness in scan.components
            and scan.last > 0
            and (scan is not self.scans[-1] or scan.last - scan.first == _COEFFICIENTS - 1)
            for scan in self.scans
        )


def unusual_jpeg(content: bytes) -> str | None:
    """Return the coding of a JPEG that is neither baseline nor progressive; None for those, or without a frame."""
    for marker, _ in _segments(content):
        if marker in _UNUSUAL_FRAMES:
            return _UNUSUAL_FRAMES[marker]
        if marker in (*_SEQUENTIAL_FRAMES, _PROGRESSIVE_FRAME, _SCAN):
            return None
    return None


def read_scans(content: bytes) -> JpegScans | None:
    """Read the scans of a baseline or progressive JPEG; None where it has no frame or no scan."""
    components: tuple[int, ...] = ()
    scans: list[_Scan] = []
    is_progressive = False
    for marker, segment in _segments(content):
        if marker in (*_SEQUENTIAL_FRAMES, _PROGRESSIVE_FRAME) and not components:
            components = tuple(segment[6 : 6 + 3 * segment[5] : 3]) if len(segment) > 5 else ()
            is_progressive = marker == _PROGRESSIVE_FRAME
        elif marker == _SCAN and segment and len(segment) >= 4 + 2 * segment[0]:
            end = 1 + 2 * segment[0]
            first, last, bits = segment[end : end + 3] if is_progressive else (0, _COEFFICIENTS - 1, 0)
            scans.append(_Scan(tuple(segment[1:end:2]), first, min(last, _COEFFICIENTS - 1), bits & 15))
    return JpegScans(components, tuple(scans)) if components and scans else None


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, segment after its length) up to the end of the first picture."""
    place = 2
    while (found := _MARKER.search(content, place)) and found[1][0] != _END:
        start = found.end()
        place = start + max(int.from_bytes(content[start : start + 2], "big"), 2)
        yield found[1][0], content[start + 2 : place]
