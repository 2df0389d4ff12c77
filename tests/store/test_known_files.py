"""What earlier runs knew of files: looked up as a range of paths, or one by one, with the same result."""

import os

import pytest

from clipsearch.store import FileRecord, Scope

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
