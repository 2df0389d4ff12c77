"""Ignore files of any bytes: rules that answer at once, or one error; and the answers are git's."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clipsearch.errors import InputError
from clipsearch.images.ignore import IgnoreRules, read_ignore_file
from tests.fuzz.budget import examples

PARTS = [
    "a",
    "b",
    "ab",
    "A",
    "*",
    "**",
    "?",
    "/",
    "/**/",
    "[ab]",
    "[!a]",
    "[a-c]",
    ".jpg",
    "!",
    "#",
    "\\",
    " ",
    "-",
    ".",
]  # ASCII: git counts bytes, not letters
# What "//" means, git itself does not say.
PATTERNS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join).filter(lambda text: "//" not in text)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "aab", "A", "a.jpg", "b a", "-", "x"]), min_size=1, max_size=4)


def rules_of(path: Path, content: bytes) -> IgnoreRules:
    path.write_bytes(content)
    return IgnoreRules().with_folder("", read_ignore_file(path))


@examples(200)
@given(content=st.binary(max_size=200), name=st.text(min_size=1, max_size=30))
@example(content=b"[", name="a")
@example(content=b"[z-a]", name="a")
@example(content=b"\\", name="a")
@example(content=b"a\0b\n\xff*", name="a\nb")
def test_any_bytes(content: bytes, name: str, tmp_path: Path) -> None:
    try:
        rules = rules_of(tmp_path / "ignore", content)
    except InputError as error:
        assert "is not a pattern" in str(error) or content.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))
        return
    for is_folder in (False, True):
        assert rules.ignore(name, is_folder=is_folder) in (False, True)


@examples(150)
@given(
    parts=st.lists(
        st.sampled_from(["*a", "*a?", "*[ab]", "**/a", "a**", "*", "/a", "/**", "a*/"]), min_size=10, max_size=40
    ),
    path=st.sampled_from(["a" * 255, "a/" * 120 + "a", ("a" * 60 + "/") * 16 + "a", "ab" * 120]),
)
@example(parts=["*a"] * 40, path="a" * 255)
@example(parts=["**/a/"] * 40, path="a/" * 1000 + "b")
@example(parts=["*[a/]"] * 40, path="a" * 255)
def test_no_pattern_takes_long(parts: list[str], path: str, tmp_path: Path) -> None:
    rules = rules_of(tmp_path / "ignore", ("".join(parts) + "b").encode())
    start = time.process_time()
    rules.ignore(path, is_folder=False)
    assert time.process_time() - start < 2


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@examples(100)
@given(lines=st.lists(PATTERNS, min_size=1, max_size=4), paths=st.lists(PATHS, min_size=1, max_size=6))
def test_the_answers_are_those_of_git(lines: list[str], paths: list[list[str]], tmp_path: Path) -> None:
    work = tmp_path / "work"
    if not work.exists():
        subprocess.run(
            ["git", "init", "-q", str(work)], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        )
    try:
        rules = rules_of(work / ".gitignore", "\n".join(lines).encode())
    except InputError:
        return
    wanted = sorted({"/".join(parts) for parts in paths})
    answer = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(wanted).encode(),
        cwd=work,
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
        check=False,
    ).stdout
    assert {path for path in wanted if is_left_out(rules, path)} == {
        path for path in answer.decode().split("\0") if path
    }


def is_left_out(rules: IgnoreRules, path: str) -> bool:
    """As the walk does it: every folder on the way first."""
    parts = path.split("/")
    above = ("/".join(parts[:number]) for number in range(1, len(parts)))
    return any(rules.ignore(folder, is_folder=True) for folder in above) or rules.ignore(path, is_folder=False)
