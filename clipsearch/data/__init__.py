"""Bundled texts: sets of labels, and the bank of texts that scores are compared with."""

from importlib.resources import files

BUILT_IN = ("cifar10", "cifar100", "coco", "colours", "lvis", "scenes")
"""Files in `clipsearch/data/labels`; their first line says where they come from."""


def built_in_labels(name: str) -> list[str]:
    """The labels of a set in `BUILT_IN`, in its order."""
    return _lines(f"labels/{name}")


# Names take turns: whoever searches writes one form or another, and a bank three times as large does no better.
# `python -m tests.benchmarks.relevance --bank` measures both.
_FORMS = ("{}", "a {}", "a photo of a {}")


def bank_texts() -> list[str]:
    """1,768 texts: captions of everyday scenes and names of places, written for this project, and the names of the
    categories of LVIS (CC BY 4.0)."""
    names = [_FORMS[row % len(_FORMS)].format(name) for row, name in enumerate(_lines("labels/lvis"))]
    return list(dict.fromkeys([*_captions(), *names]))


def caption_count() -> int:
    """How many texts of the bank, its first ones, are captions and names of places; the others are names of things."""
    return len(_captions())


def _captions() -> list[str]:
    return list(dict.fromkeys([*_lines("background"), *_lines("scenes"), *_lines("labels/scenes")]))


def strange_texts() -> list[str]:
    """Words that no language has, drawn at random, in the forms of the bank."""
    return [_FORMS[row % len(_FORMS)].format(word) for row, word in enumerate(_lines("strange"))]


def _lines(name: str) -> list[str]:
    text = files("clipsearch").joinpath("data", f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
