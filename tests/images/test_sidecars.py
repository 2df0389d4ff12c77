"""Keywords in XMP sidecars; what else is in them stays."""

import os
import stat
from xml.etree import ElementTree

import pytest

from clipsearch.errors import InputError
from clipsearch.images.sidecars import add_keywords, read_keywords, sidecar_of

OF_AN_EDITOR = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:darktable="http://darktable.sf.net/" xmp:Rating="4" darktable:history_end="3">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Été</rdf:li></rdf:Alt></dc:title>
   <dc:subject><rdf:Bag><rdf:li>holiday</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@pytest.fixture
def picture(tmp_path):
    return tmp_path / "a cat & më.jpg"


def test_a_sidecar_is_made(picture):
    assert read_keywords(picture) == []
    assert add_keywords(picture, ["cat", '<dog> & "co"', "cat"])
    assert sidecar_of(picture).name == "a cat & më.jpg.xmp"
    assert read_keywords(picture) == ["cat", '<dog> & "co"']
    root = ElementTree.parse(sidecar_of(picture)).getroot()
    assert root.tag == "{adobe:ns:meta/}xmpmeta"
    assert [path.name for path in picture.parent.iterdir()] == [sidecar_of(picture).name]


def test_what_others_have_written_stays(picture):
    sidecar_of(picture).write_text(OF_AN_EDITOR, encoding="utf-8")
    sidecar_of(picture).chmod(0o640)
    assert add_keywords(picture, ["holiday", "cat"])
    assert read_keywords(picture) == ["holiday", "cat"]
    text = sidecar_of(picture).read_text(encoding="utf-8")
    for kept in ('xmp:Rating="4"', 'darktable:history_end="3"', "Été", 'xml:lang="x-default"', "<dc:title>"):
        assert kept in text
    assert stat.S_IMODE(sidecar_of(picture).stat().st_mode) == 0o640
    before = os.stat(sidecar_of(picture)).st_mtime_ns
    assert not add_keywords(picture, ["cat"])
    assert os.stat(sidecar_of(picture)).st_mtime_ns == before


@pytest.mark.parametrize(
    "content", [b"", b"<x:xmpmeta", b"\xff\xd8\xff", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<a>" + b"\0" * 9]
)
def test_what_is_no_xmp_is_left_as_it_is(picture, content):
    sidecar_of(picture).write_bytes(content)
    for call in (lambda: add_keywords(picture, ["cat"]), lambda: read_keywords(picture)):
        with pytest.raises(InputError, match="is no XMP"):
            call()
    assert sidecar_of(picture).read_bytes() == content


def test_where_it_can_not_be_written(picture):
    with pytest.raises(InputError, match=r"can't write .*: No such file"):
        add_keywords(picture.parent / "gone" / picture.name, ["cat"])


def test_a_link_stays_a_link(picture, tmp_path):
    elsewhere = tmp_path / "elsewhere.xmp"
    elsewhere.write_text(OF_AN_EDITOR, encoding="utf-8")
    sidecar_of(picture).symlink_to(elsewhere)
    add_keywords(picture, ["cat"])
    assert sidecar_of(picture).is_symlink()
    assert "cat" in elsewhere.read_text(encoding="utf-8")
