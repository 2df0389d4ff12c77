"""Made photographs of which some are bursts."""

from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image

COLOURS = {"red": (250, 20, 20), "lime": (20, 250, 20), "blue": (20, 20, 250)}
NOON = datetime(2024, 5, 1, 12)


def paint(path: Path, colour: str, seconds: float, *, spots: int = 4, camera: str = "Cam") -> None:
    """A photograph of coloured stripes; fewer spots make it less sharp and less red, lime or blue."""
    image = Image.new("RGB", (96, 64), COLOURS[colour])
    for spot in range(spots):
        image.paste((0, 0, 0), (8 + 16 * spot, 20, 16 + 16 * spot, 44))
    exif = Image.Exif()
    exif[0x0110] = camera
    exif.get_ifd(0x8769)[0x9003] = (NOON + timedelta(seconds=seconds)).strftime("%Y:%m:%d %H:%M:%S")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif, quality=95)


def paint_bursts(folder: Path) -> Path:
    """Nine photographs: a burst of four and one of three, and two single ones."""
    for number in range(4):
        paint(folder / f"red-{number}.jpg", "red", number, spots=4 - (number == 3))
    paint(folder / "red-later.jpg", "red", 9_000)
    for number in range(3):
        paint(folder / f"lime-{number}.jpg", "lime", 600 + number)
    paint(folder / "blue.jpg", "blue", 1_200)
    return folder
