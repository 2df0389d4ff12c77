"""Which files a choice among duplicates lists, and what keeps the last copy of a picture."""

import pytest

from clipsearch.errors import InputError
from clipsearch.gallery.duplicates import DuplicateGroup, DuplicatePicture, mark_files
from clipsearch.gallery.duplicates.decision import reason_for


@pytest.fixture
def files(tmp_path):
    """Four files, of which `b` is a copy of `a`; `c` and `d` are only similar to `a` and each other."""
    made = {}
    for name in "abcd":
        (tmp_path / name).write_bytes(b"x" * 10)
        kind = {"a": "best", "b": "copy"}.get(name, "similar")
        made[name] = DuplicatePicture(str(tmp_path / name), ord(name), 4, 3, 10, 1.0, kind)
    return made


@pytest.fixture
def groups(files):
    copies = DuplicateGroup("copy", (files["a"], files["b"]))
    return [copies, DuplicateGroup("similar", (files["a"], files["c"], files["d"]))]


def listed(groups, *changed, **options):
    return [file.path[-1] for file in mark_files(groups, changed, **options).files]


def test_what_is_spare_is_listed_and_a_choice_changes_it(groups):
    assert listed(groups) == ["b"] == [file.path[-1] for group in groups for file in group.spare]
    assert listed(groups, (0, 0), (0, 1)) == ["a"]
    assert listed(groups, (1, 2)) == ["b", "d"]
    assert listed(groups, (1, 2), shown=lambda group: group.kind == "similar") == ["d"]
    assert mark_files(groups, [(1, 2)]).size_bytes == 20


@pytest.mark.parametrize("changed", [[(0, 0)], [(1, 0)], [(1, 0), (1, 1), (1, 2), (0, 1)]])
def test_no_group_loses_its_last_file_not_even_through_another_group(groups, changed):
    with pytest.raises(InputError, match="are marked: keep one of them"):
        mark_files(groups, changed, shown=lambda group: group.kind == "similar")


def test_a_file_is_listed_once(groups):
    assert listed(groups, (0, 0), (0, 1), (1, 0)) == ["a"]


@pytest.mark.parametrize("mark", [(2, 0), (0, 2), (-1, 0)])
def test_a_mark_of_no_file_is_refused(groups, mark):
    with pytest.raises(InputError, match="no such file"):
        mark_files(groups, [mark])


def test_files_that_vanished_are_left_out_and_no_file_without_one_that_is_kept(groups, tmp_path):
    (tmp_path / "d").unlink()
    found = mark_files(groups, [(1, 2)])
    assert ([file.path[-1] for file in found.files], found.left_out) == (["b"], 1)
    (tmp_path / "a").write_bytes(b"another")
    found = mark_files(groups, [])
    assert (found.files, found.left_out) == ((), 1)
    assert listed(groups, check=False) == ["b"]


def test_the_reason_names_what_the_others_lack():
    best = (-100, False, -2, -50, "a")
    assert reason_for([best, (-90, False, -3, -70, "b")]) == "most pixels"
    assert reason_for([best, (-90, True, -2, -50, "b"), (-100, True, -2, -60, "c")]) == "most pixels, then in colour"
    assert reason_for([best, (-100, False, -1, -50, "b")]) == "most of date, camera and place"
    assert reason_for([best, (-100, False, -2, -40, "b")]) == "largest file"
    assert reason_for([best, (-100, False, -2, -50, "b")]) == "first path in order"
