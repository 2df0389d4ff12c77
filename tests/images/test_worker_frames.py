"""What a worker process has read comes back from its pipe."""

from datetime import datetime

import numpy as np

from clipsearch.description import Description
from clipsearch.images.reading import Decoded
from clipsearch.images.worker_frames import pack_decoded, pack_metadata, unpack_decoded, unpack_metadata
from clipsearch.types import ImageMetadata

METADATA = ImageMetadata(
    4,
    3,
    "JPEG",
    datetime(2019, 7, 4, 12, 30, 1, 500_000),
    "Canon EOS 5D",
    48.8566,
    -2.3522,
    sharpness=7,
    description=Description(title="Hafen 東京", caption="a\nb", keywords=("Places/Paris", "boat"), rating=4),
)


def test_metadata_with_a_description_come_back() -> None:
    for metadata in (METADATA, ImageMetadata(4, 3, "PNG")):
        assert unpack_metadata(pack_metadata(metadata)) == metadata
        crop = np.zeros((2, 2, 3), dtype=np.uint8)
        (decoded,) = unpack_decoded(pack_decoded([Decoded(crop, metadata)], with_crops=True), None, height=2, width=2)
        assert isinstance(decoded, Decoded)
        assert decoded.metadata == metadata
