"""Load the bundled texts: label sets, the bank of texts that calibrates scores, and numbers."""

from importlib.resources import files

BUILT_IN = ("cifar10", "cifar100", "coco", "colours", "lvis", "scenes")
"""Names of the built-in label sets, files in `clipsearch/data/labels`; the first line of each names its source."""


def built_in_labels(name: str) -> list[str]:
    """Return the labels of a set in `BUILT_IN`, in the order of its file."""
    return _lines(f"labels/{name}")


# Names take these forms in turn, as users write either; a bank three times as large, with all of them, is no better.
# `python -m tests.benchmarks.relevance --bank` measures both.
_FORMS = ("{}", "a {}", "a photo of a {}")


def bank_texts() -> list[str]:
    """Return the 1,768 texts of the bank.

    Captions of everyday scenes and names of places, written for this project, then the names of the categories of LVIS
    (CC BY 4.0).
    """
    names = [_FORMS[row % len(_FORMS)].format(name) for row, name in enumerate(_lines("labels/lvis"))]
    return list(dict.fromkeys([*_captions(), *names]))


def caption_count() -> int:
    """Return the number of captions and names of places, the first texts of the bank; names of things follow."""
    return len(_captions())


def _captions() -> list[str]:
    return list(dict.fromkeys([*_lines("background"), *_lines("scenes"), *_lines("labels/scenes")]))


def bank_labels() -> dict[str, int]:
    """Return the names of things and places among the texts of the bank: label → its row in `bank_texts`."""
    rows = {text: row for row, text in enumerate(bank_texts())}
    names = [(name, _FORMS[row % len(_FORMS)].format(name)) for row, name in enumerate(_lines("labels/lvis"))]
    places = [(name, name) for name in _lines("labels/scenes")]
    # Only a label's first sense is searched for by its name alone: "bat (animal)" is not what anyone would type.
    return {name: rows[text] for name, text in [*places, *names] if "(" not in name}


def strange_texts() -> list[str]:
    """Return random words that no language has, in the forms of the bank."""
    return [_FORMS[row % len(_FORMS)].format(word) for row, word in enumerate(_lines("strange"))]


def kind_model() -> str:
    """Return the numbers that `ocr.kinds` tells kinds of pictures by, as JSON; fitted for this project."""
    return files("clipsearch").joinpath("data", "kinds.json").read_text(encoding="utf-8")


def _lines(name: str) -> list[str]:
    text = files("clipsearch").joinpath("data", f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
