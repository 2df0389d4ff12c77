"""Everyday words for groups of ImageNet classes, written by hand for this project.

They teach the image head that a picture of a beagle is also "a dog", "a puppy" and "an animal".
"""

from pathlib import Path

TABLE = Path(__file__).with_name("vocabulary.txt")  # a line: words parted by "|", a colon, class numbers and ranges


def class_numbers(text: str) -> list[int]:
    """The sorted numbers of a list such as "7-8 341 345-350"."""
    numbers: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return sorted(numbers)


def groups() -> list[tuple[str, list[int]]]:
    """Every word with the ImageNet classes (0 to 999) it covers."""
    found = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        words, numbers = line.rsplit(":", 1)
        found += [(word.strip(), class_numbers(numbers)) for word in words.split("|")]
    return found
