"""What earlier runs knew of files: looked up as a range of paths, or one by one, with the same result."""

import os

import numpy as np
import pytest

from clipsearch.store import ContentRecord, FileRecord, Scope
from clipsearch.store.known_files import encoded_paths
from clipsearch.types import ImageMetadata

# As `os.fsdecode` gives a name that is not UTF-8, and the range's ends.
ODD = os.fsdecode(b"a/\xff.jpg")
PATHS = ["a/1.jpg", *(f"a/b/{number}.jpg" for number in range(20)), "a/c.jpg", "a/é.jpg", ODD, "z.jpg"]


@pytest.fixture
def scope(store) -> Scope:
    root, other = (store.roots.add(place).root_id for place in ("/photos", "/others"))
    files = [FileRecord(root, path, number, -number, None, "broken", number) for number, path in enumerate(PATHS)]
    others = [FileRecord(other, path, 99, 99, None, "broken") for path in PATHS]
    store.pictures.record([], [*files, *others], model_id=1)
    return Scope(root, "/photos", "")


@pytest.mark.parametrize(
    "paths",
    [
        [],
        ["a/1.jpg"],
        ["a/new.jpg"],
        ["a/c.jpg", "a/1.jpg"],  # a whole folder lies between them
        ["a/1.jpg", "a/new.jpg", "a/é.jpg", ODD],
        ["z.jpg", "a/c.jpg", "a/d.jpg"],
        PATHS,
    ],
)
def test_only_the_files_looked_up_are_found(store, scope, paths):
    known = store.pictures.known_files(scope, paths)
    assert {path: old.size_bytes for path, old in known.items()} == {
        path: PATHS.index(path) for path in paths if path in PATHS
    }
    for path, old in known.items():
        number = PATHS.index(path)
        assert old.relative_path == os.fsencode(path)
        assert (old.mtime_ns, old.ctime_ns, old.inode) == (-number, number, None)
        assert (old.skip_reason, old.content_id, bool(old.is_removed)) == ("broken", None, False)
        assert not old.has_picture


def test_files_with_a_picture_are_found_with_their_stamps(store):
    model_id = store.models.add(name="m", fingerprint="ab" * 32, dim=4).model_id
    root = store.roots.add("/photos").root_id
    scope, digests = Scope(root, "/photos", ""), [bytes([number]) * 32 for number in range(5)]
    names = ["a/1.jpg", "a/2.jpg", ODD, "a/gone.jpg", "b.jpg"]
    files = [
        FileRecord(root, name, number, -number, digest, ctime_ns=number or None, inode=number or None)
        for number, (name, digest) in enumerate(zip(names, digests, strict=True))
    ]
    row = np.eye(1, 4, dtype=np.float32)[0]
    contents = [ContentRecord(digest, 9, ImageMetadata(4, 3, "JPEG"), row) for digest in digests]
    store.pictures.record(contents, files, model_id=model_id)
    store.pictures.record([], [FileRecord(root, "a/broken.jpg", 9, 9, None, "broken")], model_id=model_id)
    known = store.pictures.known_files(scope, [*names, "a/broken.jpg"])
    store.pictures.remove_files([known["a/gone.jpg"].file_id])

    for wanted in (names, ["b.jpg", "a/1.jpg"], ["a/broken.jpg", ODD], ["new.jpg"], []):
        rows = [row for rows in store.pictures.stamped_files(scope, encoded_paths(wanted)) for row in rows]
        found = {row[0]: tuple(row) for row in rows if row[0] in encoded_paths(wanted)}
        present = [name for name in wanted if name in names and name != "a/gone.jpg"]
        assert found == {os.fsencode(name): known[name][:7] for name in present}
