"""Made photographs of two days in two cities, with dates, places and words, and a screenshot."""

from pathlib import Path

from PIL import Image

from clipsearch import Catalog
from clipsearch.ocr.lines import TextLine
from clipsearch.store import Store
from clipsearch.store.texts import ReadText
from tests.support.xmp import packet

MUNICH, PARIS = (48.137, 11.575), (48.8566, 2.3522)

# In the order in which they are indexed; (colour, date, place, more of the sidecar).
SHOTS = {
    "a-market.jpg": ("red", "2024:07:04 10:00:00", MUNICH, ""),
    "b-river.jpg": ("blue", "2024:07:04 10:30:00", None, ""),
    "c-tower.jpg": ("red", "2024:07:04 11:00:00", MUNICH, 'xmp:Rating="5" photoshop:Headline="The tower"'),
    "d-evening.jpg": ("lime", "2024:07:04 20:00:00", MUNICH, ""),
    "e-louvre.jpg": ("blue", "2024:07:05 09:00:00", PARIS, ""),
    "f-screen.jpg": ("lime", "", None, ""),
}

LINES = ("Platform RE16", "to Köln")


def make_trips(directory: Path, photos: Path) -> Path:
    """Make the catalog, with a model of colours; content ids are 1 to 6, in the order of `SHOTS`."""
    photos.mkdir(parents=True)
    for number, (name, (colour, taken, place, described)) in enumerate(SHOTS.items()):
        image = Image.new("RGB", (96, 64), colour)
        image.paste((0, 0, 0), (0, 0, 8 + 8 * number, 8))  # no two are the same
        exif = Image.Exif()
        if taken:
            exif.get_ifd(0x8769)[0x9003] = taken
        image.save(photos / name, exif=exif, quality=95)
        if place:
            latitude, longitude = place
            at = f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="{longitude}"'
            (photos / f"{name}.xmp").write_bytes(packet(attributes=f"{at} {described}"))
    with Catalog.open(directory, model="colours", create=True) as catalog:
        for name in SHOTS:
            (photos / name).touch()
        catalog.index(photos)
    with Store(directory) as store:
        lines = [TextLine(line, 0.99, (0.1, 0.1 * row, 0.5, 0.1 * row + 0.1)) for row, line in enumerate(LINES)]
        store.texts.record([ReadText(6, lines, "screenshot")], reader="made")
    return directory
