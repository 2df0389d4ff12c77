"""Metadata as another program writes them, in the layouts of digiKam, darktable, Lightroom, Windows and Picasa."""

import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.description import Description
from clipsearch.images.decode import read_header
from clipsearch.images.descriptions.sidecars import read_sidecar
from clipsearch.images.file_parts import read_parts
from tests.support.raw_files import raw_file

pytestmark = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")

ALL = Description(
    title="Hafen 東京",
    caption="Boats\nin the harbour",
    keywords=("Places/France/Paris", "boat"),
    people=("Anna", "Carl"),
    rating=4,
    label="green",
    creator="Anna; Bob",
    copyright="© 2019",
    location="Dom",
    city="Köln",
    region="NRW",
    country="Germany",
)
TEXTS = [
    *("-XMP-dc:Title=Hafen 東京", "-XMP-dc:Description=Boats\nin the harbour", "-XMP-dc:Rights=© 2019"),
    *("-XMP-dc:Creator=Anna", "-XMP-dc:Creator=Bob", "-XMP-dc:Subject=boat", "-XMP-dc:Subject=Paris"),
    *("-XMP-photoshop:City=Köln", "-XMP-photoshop:State=NRW", "-XMP-photoshop:Country=Germany"),
    *("-XMP-iptcCore:Location=Dom", "-XMP-xmp:Rating=4"),
]
FACES = (
    "-XMP-mwg-rs:RegionInfo={AppliedToDimensions={W=64,H=64,Unit=pixel},RegionList=[{Area={X=0.5,Y=0.5,W=0.1,H=0.1,"
    "Unit=normalized},Name=Anna,Type=Face},{Name=Rex,Type=Pet},{Name=Carl,Type=Face}]}"
)
LAYOUTS = {
    "Lightroom": ["-XMP-lr:HierarchicalSubject=Places|France|Paris", "-XMP-xmp:Label=Grün", FACES],
    "digiKam": [
        *("-XMP-digiKam:TagsList=Places/France/Paris", "-XMP-digiKam:TagsList=boat", "-XMP-digiKam:ColorLabel=4"),
        *("-XMP-mediapro:CatalogSets=Places|France|Paris", "-XMP-microsoft:LastKeywordXMP=Places/France/Paris", FACES),
    ],
    "darktable": [
        *("-XMP-lr:HierarchicalSubject=Places|France|Paris", "-XMP-xmp:Label=green"),
        *("-XMP-iptcExt:PersonInImage=Anna", "-XMP-iptcExt:PersonInImage=Carl"),
    ],
    "Windows": [
        *(
            "-XMP-microsoft:LastKeywordXMP=Places/France/Paris",
            "-XMP-microsoft:RatingPercent=75",
            "-XMP-xmp:Label=Green",
        ),
        "-XMP-MP:RegionInfoMP={Regions=[{PersonDisplayName=Anna,Rectangle=0.1|, 0.1|, 0.1|, 0.1},"
        "{PersonDisplayName=Carl}]}",
    ],
}


def write(path: Path, *arguments: str) -> bytes:
    """Run exiftool on a file, and return its content."""
    command = ["exiftool", "-q", "-overwrite_original", "-charset", "utf8", *arguments, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return path.read_bytes()


def new_picture(folder: Path, file_format: str = "JPEG") -> Path:
    path = folder / f"a.{file_format.lower()}"
    Image.new("RGB", (64, 64)).save(path, file_format)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_xmp_of_programs(tmp_path: Path, layout: str) -> None:
    assert read_header(write(new_picture(tmp_path), *TEXTS, *LAYOUTS[layout])).description == ALL


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_formats(tmp_path: Path, file_format: str) -> None:
    content = write(new_picture(tmp_path, file_format), *TEXTS, *LAYOUTS["Lightroom"])
    assert read_header(content).description == ALL


def test_raw_files(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "a.dng"
    path.write_bytes(raw_file(Image.new("RGB", (640, 480), (200, 30, 30)), preview=Image.new("RGB", (640, 480))))
    assert read_header(write(path, *TEXTS, *LAYOUTS["Lightroom"])).description == ALL
    assert read_header(write(path, "-XMP:all=", "-EXIF:Artist=Anna")).description == Description(creator="Anna")


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_films(tmp_path: Path, container: str) -> None:
    pytest.importorskip("av")
    from tests.support.films import Shot, make_film

    path = tmp_path / f"a.{container}"
    path.write_bytes(make_film([Shot(Image.new("RGB", (320, 240), (200, 30, 30)), 1.0)], container=container))
    content = write(path, *TEXTS, *LAYOUTS["Lightroom"])
    found = read_parts(content, suffix=f".{container}", needed_side=64, max_megapixels=50)
    assert found is not None
    assert found.metadata.description == ALL


@pytest.mark.parametrize("encoding", ["utf8", "latin"])
def test_iptc(tmp_path: Path, encoding: str) -> None:
    texts = [
        *("-IPTC:ObjectName=Käse", "-IPTC:Caption-Abstract=Boats\nin the harbour", "-IPTC:Keywords=Käse"),
        *("-IPTC:Keywords=boat", "-IPTC:By-line=Anna", "-IPTC:By-line=Bob", "-IPTC:CopyrightNotice=© 2019"),
        *("-IPTC:Sub-location=Dom", "-IPTC:City=Köln", "-IPTC:Province-State=NRW"),
        "-IPTC:Country-PrimaryLocationName=Germany",
    ]
    character_set = ["-IPTC:CodedCharacterSet=UTF8"] if encoding == "utf8" else []
    for file_format in ("JPEG", "TIFF"):
        content = write(new_picture(tmp_path, file_format), *character_set, *texts)
        assert read_header(content).description == Description(
            title="Käse",
            caption="Boats\nin the harbour",
            keywords=("Käse", "boat"),
            creator="Anna; Bob",
            copyright="© 2019",
            location="Dom",
            city="Köln",
            region="NRW",
            country="Germany",
        )


def test_exif(tmp_path: Path) -> None:
    texts = [
        *("-EXIF:XPTitle=Hafen 東京", "-EXIF:XPKeywords=boat;Käse", "-EXIF:XPComment=A comment", "-EXIF:Rating=3"),
        *("-EXIF:ImageDescription=SONY DSC", "-EXIF:Copyright=© 2019", "-EXIF:Artist=Zoë"),
    ]
    expected = Description(
        title="Hafen 東京",
        caption="A comment",
        keywords=("boat", "Käse"),
        rating=3,
        creator="Zoë",
        copyright="© 2019",
    )
    path = new_picture(tmp_path)
    assert read_header(write(path, *texts)).description == expected
    content = write(path, "-EXIF:XPComment=", "-EXIF:UserComment=Über 東京")
    assert read_header(content).description.caption == "Über 東京"


def test_sidecars(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg.xmp"
    position = ["-XMP-exif:GPSLatitude=48.8566", "-XMP-exif:GPSLongitude=-2.3522"]
    content = write(path, *TEXTS, *LAYOUTS["digiKam"], *position, "-XMP-exif:DateTimeOriginal=2019:07:04 12:30:01")
    found = read_sidecar(content)
    assert (found.latitude, found.longitude) == pytest.approx((48.8566, -2.3522))
    assert found.taken_at is not None
    assert found.taken_at.isoformat() == "2019-07-04T12:30:01"
    assert (found.title, found.keywords, found.people, found.label) == (ALL.title, ALL.keywords, ALL.people, ALL.label)
