"""Metadata and sidecars of any bytes, and nearly right ones: a valid description, or for a sidecar one error."""

import io
import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipsearch.description import Description, pack, unpack
from clipsearch.errors import InputError
from clipsearch.images.descriptions.embedded import read_description
from clipsearch.images.descriptions.exif import TEXT_TAGS, describe_tags
from clipsearch.images.descriptions.iptc import describe_records, parse_records
from clipsearch.images.descriptions.keywords import read_categories
from clipsearch.images.descriptions.sidecars import read_sidecar, read_takeout
from clipsearch.images.xmp.properties import NAMESPACES
from tests.fuzz.budget import examples
from tests.images.descriptions.test_sidecars import TAKEOUT
from tests.support.xmp import iptc_record, packet, picture

NAMES = [
    *("dc:title", "dc:subject", "dc:creator", "xmp:Rating", "xmp:Label", "lr:hierarchicalSubject", "mwg-rs:Regions"),
    *("mwg-rs:Name", "mwg-rs:Type", "photoshop:City", "Iptc4xmpExt:LocationShown", "Iptc4xmpExt:City", "MP:RegionInfo"),
    *("acdsee:categories", "exif:GPSLatitude", "exif:GPSLongitude", "exif:DateTimeOriginal", "MicrosoftPhoto:Rating"),
    *("rdf:Bag", "rdf:Seq", "rdf:Alt", "rdf:li", "rdf:_1", "rdf:Description", "rdf:value", "digiKam:ColorLabel"),
]
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20) | st.sampled_from(
    ["4", "-1", "99", "48,51.4N", "2019-07-04", "A|B", "x-default", "Face", "&lt;Category Assigned='1'&gt;a", "\u202e"]
)
ELEMENTS = st.recursive(
    TEXTS.map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;")),
    lambda inner: st.builds(
        lambda name, attribute, value, parts: f"<{name} {attribute}='{value}'>{''.join(parts)}</{name}>",
        st.sampled_from(NAMES),
        st.sampled_from([*NAMES, "xml:lang", "rdf:parseType"]),
        st.sampled_from(["Resource", "1", "x-default", "2", "Anna", ""]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)


def check(description: Description) -> None:
    assert unpack(pack(description)) == description
    for text in (description.title, description.label, description.city, *description.keywords, *description.people):
        assert text is None or (text == text.strip() and "\n" not in text and "\0" not in text)


@examples(300)
@given(elements=st.lists(ELEMENTS, max_size=5).map("".join), cut=st.none() | st.floats(0, 1))
def test_nearly_right_packets(elements, cut):
    content = packet(elements)
    if cut is not None and cut < 0.3:
        content = content[: int(cut * 3 * len(content))]
    with suppress(InputError):
        check(read_sidecar(content))
    if len(content) < 60_000:
        check(read_description(Image.open(io.BytesIO(picture(xmp=content)))))


@examples(300)
@given(content=st.binary(max_size=300))
def test_any_bytes(content):
    for read in (read_sidecar, read_takeout):
        with suppress(InputError):
            check(read(content))
    check(read_description(Image.open(io.BytesIO(picture(xmp=content, iptc=content)))))
    check(describe_records(parse_records(content)))
    list(read_categories(content.decode("latin-1")))


@examples(200)
@given(
    records=st.lists(
        st.tuples(st.sampled_from([1, 2, 7]), st.sampled_from([5, 25, 80, 90, 120, 255]), st.binary(max_size=40)),
        max_size=8,
    ),
    tail=st.binary(max_size=10),
)
def test_records(records, tail):
    content = b"".join(iptc_record((record, dataset), value) for record, dataset, value in records)
    parsed = parse_records(content + tail)
    assert [value for values in parsed.values() for value in values][: len(records)] or not records
    check(describe_records(parsed))


VALUES = (
    st.none() | st.integers() | st.floats() | st.text(max_size=40) | st.binary(max_size=60) | st.tuples(st.integers())
)


@examples(300)
@given(tags=st.dictionaries(st.sampled_from([*TEXT_TAGS, 0x9286]), VALUES))
def test_tags_of_any_type(tags):
    check(describe_tags(tags))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("name"), inner, max_size=3)
    ),
    max_leaves=8,
)


@examples(300)
@given(changes=st.dictionaries(st.sampled_from([*TAKEOUT, "favorited"]), JSON, max_size=4))
def test_takeout_of_any_shape(changes):
    check(read_takeout(json.dumps(TAKEOUT | changes).encode()))


def test_all_prefixes_are_those_of_xmp():
    assert {name.partition(":")[0] for name in NAMES} - {"rdf"} <= NAMESPACES.keys()
