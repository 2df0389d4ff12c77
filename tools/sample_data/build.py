"""Builds the sample picture folder from unpacked public packages.

Example:
    python tools/sample_data/build.py --scikit-image DIR --scikit-learn DIR --fluent-emoji-3d DIR sample_data

The result depends only on the packages and the versions of Pillow and pillow-heif: the same versions write the same
bytes. README.md beside this file says how to get the packages.
"""

import argparse
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
from licences import licences_page
from PIL import ExifTags, Image, ImageOps
from samples import RGB, SAMPLES, Sample

LONG_SIDE = 512
BACKDROP = (400, 320)  # pixels; a little wider than high, as photographs are
CAMERA_MAKE = "clipsearch"  # says at a glance that date, camera and place are made up
CAMERA_MODEL = "sample"

# How the pixels are turned before they are stored, so that a reader that obeys the tag shows them upright.
STORED_TURN = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}

SAVE_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    ".jpg": {"format": "JPEG", "quality": 86, "optimize": True},
    ".png": {"format": "PNG", "optimize": True},
    ".webp": {"format": "WEBP", "quality": 84, "method": 6},
    ".avif": {"format": "AVIF", "quality": 75, "max_threads": 1},
    ".heic": {"format": "HEIF", "quality": 60},
}


def on_backdrop(cut_out: Image.Image, colour: RGB) -> Image.Image:
    """Puts a cut-out in the middle of a backdrop that is a little darker towards the bottom, as a table is."""
    shade = Image.linear_gradient("L").resize(BACKDROP, Image.Resampling.BICUBIC)
    darker = Image.new("RGB", BACKDROP, (int(colour[0] * 0.86), int(colour[1] * 0.86), int(colour[2] * 0.86)))
    picture = Image.composite(darker, Image.new("RGB", BACKDROP, colour), shade)
    corner = ((BACKDROP[0] - cut_out.width) // 2, (BACKDROP[1] - cut_out.height) // 2)
    picture.paste(cut_out, corner, cut_out)
    return picture


def render(sample: Sample, packages: Mapping[str, Path]) -> Image.Image:
    """The upright pixels of one sample in their final mode, not yet scaled."""
    with Image.open(packages[sample.source.package] / sample.source.member) as opened:
        picture = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    if sample.background is not None:
        picture = on_backdrop(picture, sample.background)
    return picture.convert(sample.mode)


def sexagesimal(degrees: float) -> tuple[float, float, float]:
    """Degrees, minutes and seconds of an angle without its sign."""
    minutes, seconds = divmod(round(abs(degrees) * 3600, 2), 60)
    return float(minutes // 60), float(minutes % 60), round(seconds, 2)


def exif_of(sample: Sample) -> Image.Exif | None:
    """The EXIF block of a sample; None when it has none."""
    if sample.orientation == 1 and sample.taken is None and sample.place is None:
        return None
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = CAMERA_MAKE
    exif[ExifTags.Base.Model] = CAMERA_MODEL
    exif[ExifTags.Base.Orientation] = sample.orientation
    if sample.taken is not None:
        exif[ExifTags.Base.DateTime] = sample.taken
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = sample.taken
    if sample.place is not None:
        north, east = sample.place
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(
            {
                ExifTags.GPS.GPSLatitudeRef: "N" if north >= 0 else "S",
                ExifTags.GPS.GPSLatitude: sexagesimal(north),
                ExifTags.GPS.GPSLongitudeRef: "E" if east >= 0 else "W",
                ExifTags.GPS.GPSLongitude: sexagesimal(east),
            }
        )
    return exif


def encoded(sample: Sample, picture: Image.Image) -> bytes:
    """The bytes of the picture file."""
    exif = exif_of(sample)
    if sample.orientation in STORED_TURN:
        picture = picture.transpose(STORED_TURN[sample.orientation])
    options = dict(SAVE_OPTIONS[Path(sample.path).suffix])
    if exif is not None:
        options["exif"] = exif.tobytes()
    buffer = BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()


def clear(folder: Path) -> None:
    """Removes the pictures of an earlier build. A folder that holds anything else is left alone."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / "captions.jsonl").is_file():
        raise SystemExit(f"{folder} is not empty and holds no captions.jsonl: not a sample folder, left as it is")
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def build(folder: Path, packages: Mapping[str, Path]) -> int:
    """Writes the whole folder anew and returns its size in bytes."""
    clear(folder)
    rows = []
    for sample in SAMPLES:
        picture = render(sample, packages)
        rows.append((sample, max(picture.size) > LONG_SIDE))
        picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
        content = encoded(sample, picture)
        with Image.open(BytesIO(content)) as again:
            ImageOps.exif_transpose(again).load()  # what cannot be read back must not be written
        path = folder / sample.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    lines = [json.dumps({"image": s.path, "caption": s.caption}, ensure_ascii=False) for s in SAMPLES]
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "LICENSES.md").write_text(licences_page(rows), encoding="utf-8")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Command line entry point."""
    parser = argparse.ArgumentParser(description="Build the sample picture folder from unpacked public packages.")
    parser.add_argument("folder", type=Path, help="folder to write; an earlier build in it is replaced")
    for package, content in (
        ("scikit-image", "the unpacked wheel (holds skimage/)"),
        ("scikit-learn", "the unpacked wheel (holds sklearn/)"),
        ("fluent-emoji-3d", "the unpacked npm package (holds assets/)"),
    ):
        parser.add_argument(f"--{package}", type=Path, required=True, metavar="DIR", help=content)
    arguments = parser.parse_args()
    packages = {
        "scikit-image": arguments.scikit_image,
        "scikit-learn": arguments.scikit_learn,
        "@lobehub/fluent-emoji-3d": arguments.fluent_emoji_3d,
    }
    pillow_heif.register_heif_opener()
    size_bytes = build(arguments.folder, packages)
    print(f"{len(SAMPLES)} pictures, {size_bytes / 1e6:.2f} MB in {arguments.folder}")


if __name__ == "__main__":
    main()
