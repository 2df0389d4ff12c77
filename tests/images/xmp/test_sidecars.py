"""Keywords in XMP sidecars; what else is in them stays."""

import errno
import os
import socket
import stat
from xml.etree import ElementTree

import pytest

from clipsearch.errors import InputError
from clipsearch.images.xmp.sidecars import add_keywords, read_keywords, sidecar_of

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
    assert not add_keywords(picture, [])
    assert not sidecar_of(picture).exists()
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
        with pytest.raises(InputError, match="is not valid XMP"):
            call()
    assert sidecar_of(picture).read_bytes() == content


@pytest.mark.parametrize("old", ['rdf:resource="http://a/"/>', 'rdf:parseType="Collection"><rdf:Bag/></dc:subject>'])
def test_keywords_in_another_form_are_left_as_they_are(picture, old):
    content = OF_AN_EDITOR.replace("<dc:title>", f"<dc:subject {old}<dc:title>")
    sidecar_of(picture).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"can't add keywords to .*: its dc:subject is neither"):
        add_keywords(picture, ["cat"])
    with pytest.raises(InputError, match=r"can't read the keywords of .*: its dc:subject is neither"):
        read_keywords(picture)
    assert sidecar_of(picture).read_text(encoding="utf-8") == content


def test_where_it_can_not_be_written(picture):
    with pytest.raises(InputError, match=r"can't write .*: No such file"):
        add_keywords(picture.parent / "gone" / picture.name, ["cat"])


@pytest.mark.parametrize("is_dangling", [False, True])
def test_nothing_is_written_through_a_link(picture, tmp_path, is_dangling):
    elsewhere = tmp_path / "elsewhere.xmp"
    if not is_dangling:
        elsewhere.write_text(OF_AN_EDITOR, encoding="utf-8")
    sidecar_of(picture).symlink_to(elsewhere)
    for call in (lambda: add_keywords(picture, ["cat"]), lambda: read_keywords(picture)):
        with pytest.raises(InputError, match="a link, not a regular file"):
            call()
    assert sidecar_of(picture).is_symlink()
    assert is_dangling or elsewhere.read_text(encoding="utf-8") == OF_AN_EDITOR
    assert elsewhere.exists() != is_dangling


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a named pipe"),
        (make_socket, "a socket"),
        (os.mkdir, "a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "a link"),
        (lambda path: path.symlink_to(path), "a link"),
    ],
)
def test_what_is_no_file_is_told(picture, make, kind, monkeypatch):
    monkeypatch.chdir(picture.parent)  # the name of a socket is short
    make(sidecar_of(picture).relative_to(picture.parent))
    with pytest.raises(InputError, match=rf"can't write .*\.xmp: {kind}, not a regular file"):
        add_keywords(picture, ["cat"])
    with pytest.raises(InputError, match=rf"can't read .*\.xmp: {kind}, not a regular file"):
        read_keywords(picture)


def test_a_large_sidecar_is_not_read(picture):
    with sidecar_of(picture).open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(InputError, match="larger than 8 MB"):
        add_keywords(picture, ["cat"])


def test_files_laid_out_at_other_names_stay(picture, monkeypatch):
    """A name for the scratch file can't be foreseen; one that is met all the same is left alone."""
    names = iter(["taken", "taken", "free"])
    monkeypatch.setattr("clipsearch.files.secrets.token_hex", lambda _: next(names))
    victim = picture.with_name("victim")
    victim.write_text("precious")
    picture.with_name(".taken.new").symlink_to(victim)
    assert add_keywords(picture, ["cat"])
    assert victim.read_text() == "precious"
    assert read_keywords(picture) == ["cat"]
    assert not picture.with_name(".free.new").exists()


@pytest.mark.parametrize("name", ["猫" * 82 + ".jpg", "a" * 247 + ".jpg", os.fsdecode(b"caf\xe9\n.jpg"), "a.j", ".xmp"])
def test_names_of_any_length_and_letters(tmp_path, name):
    picture = tmp_path / name
    assert add_keywords(picture, ["cat"])
    assert read_keywords(picture) == ["cat"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_name_that_is_too_long_is_one_error(tmp_path):
    with pytest.raises(InputError, match="name too long"):
        add_keywords(tmp_path / ("a" * 250 + ".jpg"), ["cat"])


def test_a_full_disk_leaves_the_old_sidecar_whole(picture, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for content in (None, OF_AN_EDITOR):
        if content is not None:
            sidecar_of(picture).write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match="No space left on device"):
            add_keywords(picture, ["cat"])
        assert [path.read_text(encoding="utf-8") for path in picture.parent.iterdir()] == ([content] if content else [])


@pytest.mark.parametrize("is_new", [False, True])
def test_a_change_of_another_program_is_kept(picture, monkeypatch, is_new):
    path = sidecar_of(picture)
    if not is_new:
        path.write_text(OF_AN_EDITOR, encoding="utf-8")
    fsync = os.fsync

    def change(descriptor):
        path.write_text("theirs")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", change)
    with pytest.raises(InputError, match="another program has changed it meanwhile"):
        add_keywords(picture, ["cat"])
    assert [each.read_text() for each in picture.parent.iterdir()] == ["theirs"]


def test_a_read_only_sidecar_stays(picture):
    sidecar_of(picture).write_text(OF_AN_EDITOR, encoding="utf-8")
    sidecar_of(picture).chmod(0o444)
    assert not add_keywords(picture, ["holiday"])
    with pytest.raises(InputError, match="it is read-only"):
        add_keywords(picture, ["cat"])
    assert sidecar_of(picture).read_text(encoding="utf-8") == OF_AN_EDITOR


def test_the_other_name_of_a_hard_link_keeps_its_content(picture, tmp_path):
    other = tmp_path / "other.xmp"
    other.write_text(OF_AN_EDITOR, encoding="utf-8")
    os.link(other, sidecar_of(picture))
    assert add_keywords(picture, ["cat"])
    assert other.read_text(encoding="utf-8") == OF_AN_EDITOR


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ("", "cat.jpg.xmp"),
        ("cat.xmp", "cat.xmp"),
        ("cat.XMP", "cat.XMP"),
        ("cat.jpg.XMP", "cat.jpg.XMP"),
        ("cat.xmp cat.jpg.xmp", "cat.jpg.xmp"),
        ("cat.xmp cat.CR2", "cat.jpg.xmp"),
        ("cat.xmp cat.png", "cat.jpg.xmp"),
        ("cat.xmp cat.txt other.cr2", "cat.xmp"),
    ],
)
def test_which_of_the_usual_names_is_used(tmp_path, there, written):
    picture = tmp_path / "cat.jpg"
    for name in ["cat.jpg", *there.split()]:
        (tmp_path / name).write_text(OF_AN_EDITOR, encoding="utf-8")
    assert add_keywords(picture, ["cat"])
    changed = [path.name for path in tmp_path.iterdir() if path.read_text(encoding="utf-8") != OF_AN_EDITOR]
    assert changed == [written]
    assert "cat" in read_keywords(picture)
