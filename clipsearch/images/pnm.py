"""Decode the pixels of a PNM whose highest value is not a power of two less one: Pillow does it in a loop in Python."""

import numpy as np
from PIL import Image, ImageFile

_CODEC = "clipsearch_pnm"

# Rows are read in strips of at most this many bytes.
_STRIP_BYTES = 16 << 20


class _PnmDecoder(ImageFile.PyDecoder):
    """Scales values to 255, or in mode "I" to 65,535, rounded as Pillow does.

    Source: Netpbm, ppm(5): two bytes a value, the most significant first, when the highest is above 255.
    """

    _pulls_fd = True

    def decode(self, buffer: Image.DecoderInput) -> tuple[int, int]:
        if self.fd is None:
            raise ValueError("no file to decode")
        highest = self.args[-1]
        stored = np.dtype("u1" if highest < 256 else ">u2")
        top, scaled, rawmode = (65535, "<i4", "I;32") if self.mode == "I" else (255, "u1", self.mode)
        table = np.rint(np.arange(1 << 8 * stored.itemsize) / highest * top).clip(0, top).astype(scaled)
        row_bytes = self.state.xsize * Image.getmodebands(self.mode) * stored.itemsize
        rows = max(1, _STRIP_BYTES // row_bytes)
        pixels = bytearray()
        for first in range(0, self.state.ysize, rows):
            content = self.fd.read(min(rows, self.state.ysize - first) * row_bytes)
            values = np.frombuffer(content, dtype=stored, count=len(content) // stored.itemsize)
            pixels += table[values].tobytes()
        self.set_as_raw(pixels, rawmode)
        return -1, 0


Image.register_decoder(_CODEC, _PnmDecoder)


def use_fast_decoder(image: Image.Image) -> None:
    """Replace the decoder of an opened PNM where it is Pillow's slow one for binary values."""
    if isinstance(image, ImageFile.ImageFile):
        image.tile = [tile._replace(codec_name=_CODEC) if tile.codec_name == "ppm" else tile for tile in image.tile]
