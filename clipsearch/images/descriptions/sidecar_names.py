"""Tell by the names of a folder's files which of them are sidecars, and of which pictures."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from functools import partial
from itertools import chain, repeat
from typing import Literal, NamedTuple, TypeAlias

from clipsearch.formats import IMAGE_SUFFIXES, RAW_SUFFIXES, UNSUPPORTED_SUFFIXES

SidecarKind: TypeAlias = Literal["xmp", "takeout"]

SIDECAR_SUFFIXES = (".xmp", ".XMP", ".json", ".JSON")
"""Endings of the names of sidecars, in the cases that programs write."""

_KNOWN = IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES
# Endings that have been met, by what `_suffix` returns; most are one of these.
_FOLDED = {case: suffix for suffix in _KNOWN for case in (suffix, suffix.upper())} | dict.fromkeys(SIDECAR_SUFFIXES, "")

# Takeout cuts a name before ".json" to 46 characters of UTF-16.
# Source: github.com/simulot/immich-go, adapters/googlePhotos/matcher_test.go: names of real exports.
_MOST_UNITS = 46
_SUPPLEMENT = ".supplemental-metadata"

# "IMG(1).jpg" has its number elsewhere: "IMG.jpg(1).json".
_NUMBER = re.compile(r"\((\d{1,4})\)", re.ASCII)

# Google Photos adds it to the name of an edited copy, in the language of the account.
# Source: github.com/TheLastGimbus/GooglePhotosTakeoutHelper, lib/extras.dart.
_EDITED = {
    *("edited", "effects", "smile", "mix", "edytowane", "bearbeitet", "bewerkt", "modifié", "modificato", "ha editado"),
    *("editado", "editada", "editat", "redigerad", "redigeret", "redigert", "muokattu", "upraveno", "szerkesztve"),
    *("düzenlendi", "diedit", "đã chỉnh sửa", "отредактировано", "تم التعديل", "संपादित", "แก้ไขแล้ว"),
    *("編集済み", "编辑", "已编辑", "已編輯", "편집됨"),
}


class Sidecar(NamedTuple):
    """A file that describes a picture of the same folder.

    Attributes:
        picture: name of the picture.
        name: of the sidecar.
        kind: what reads it: `read_sidecar` or `read_takeout`.
    """

    picture: str
    name: str
    kind: SidecarKind


def find_sidecars(names: Collection[str], *, sidecars: Iterable[str] | None = None) -> list[Sidecar]:
    """Find the sidecars of the pictures of one folder, by their names alone.

    XMP is that of `images.xmp.sidecars.sidecar_of`: "IMG.jpg.xmp", and "IMG.xmp" only where "IMG.jpg" has no sidecar of
    its own and is the only picture named "IMG", whatever the suffix: else it is that of the raw file, if there is one,
    as editors write into the JPEG itself. Google Takeout has "IMG.jpg.json", "IMG.jpg.supplemental-metadata.json",
    names cut anywhere in it, and one for several: the edited copy "IMG-edited.jpg" uses that of "IMG.jpg". Other
    programs write such names too, see `read_takeout`.

    Args:
        names: of all files of the folder, which are iterated several times.
        sidecars: those of them that end in `SIDECAR_SUFFIXES`, where that is known; None: they are looked for.

    Returns:
        Up to one of each kind for each picture that is read here, in no order.
    """
    beside = [name for name in names if name.endswith(SIDECAR_SUFFIXES)] if sidecars is None else list(sidecars)
    if not beside:
        return []
    known = names if isinstance(names, set | frozenset) else set(names)
    json = [name for name in beside if name[-1] in "nN"]
    # Where there are both cases of an ending, the lower one counts.
    xmp = [name for name in beside if name[-1] == "P"] + [name for name in beside if name[-1] == "p"]
    found: list[Sidecar] = []
    if xmp:
        found += _sidecars(_find_xmp(xmp, known, names), "xmp")
    if json:
        found += _sidecars(_find_json(json, known, names), "takeout")
    return found


def _sidecars(found: Mapping[str, str], kind: SidecarKind) -> Iterator[Sidecar]:
    return map(partial(tuple.__new__, Sidecar), zip(found, found.values(), repeat(kind), strict=False))


def _suffix(name: str) -> str:
    """Return the suffix of a name in lower case where files with it are pictures, films or documents; else ""."""
    place = name.rfind(".")
    if place <= 0:
        return ""
    ending = name[place:]
    folded = _FOLDED.get(ending)
    if folded is None:
        folded = ending.lower()
        return folded if folded in _KNOWN else ""
    return folded


def _is_read(name: str) -> bool:
    return _suffix(name) in IMAGE_SUFFIXES


def _find_xmp(sidecars: list[str], known: Set[str], names: Iterable[str]) -> dict[str, str]:
    """Return {picture: its XMP sidecar}."""
    found: dict[str, str] = {}
    shared: dict[str, str] = {}
    for name in sidecars:
        stem = name[:-4]
        if stem in known and _is_read(stem):
            found[stem] = name
        else:
            shared[stem] = name
    if not shared:
        return found
    for picture, stem in _alone(shared, names):
        if picture not in found and _is_read(picture):
            found[picture] = shared[stem]
    return found


def _alone(stems: Collection[str], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, stem) of the pictures, films and documents with one of some stems that no other suffix shares.

    Of several suffixes those of raw files, if it is one.
    """
    first: dict[str, str] = {}
    more: list[tuple[str, str]] = []
    mixed: dict[str, set[str]] = {}
    for name in names:
        place = name.rfind(".")
        stem = name[:place]
        if stem in stems and (suffix := _FOLDED.get(name[place:]) or _suffix(name)):
            other = first.setdefault(stem, name)
            if other is not name:  # several suffixes, or one in several cases
                more.append((name, stem))
                if _suffix(other) != suffix:
                    mixed.setdefault(stem, {_suffix(other)}).add(suffix)
    raw = {stem: each for stem, suffixes in mixed.items() if len(each := suffixes & RAW_SUFFIXES) == 1}
    for name, stem in chain(zip(first.values(), first, strict=True), more):
        if stem not in mixed or _suffix(name) in raw.get(stem, ()):
            yield name, stem


def _find_json(sidecars: list[str], known: Set[str], names: Iterable[str]) -> dict[str, str]:
    """Return {picture: its JSON of Takeout}."""
    found: dict[str, str] = {}
    others: list[str] = []
    for name in sidecars:
        picture = name[:-5]
        if picture not in known:
            place = picture.rfind(".")
            if not _SUPPLEMENT.startswith(picture[place:]) or (picture := picture[:place]) not in known:
                picture = next((each for each in _pictures_of(name) if each in known), "")
        if not _is_read(picture):
            others.append(name)
        # Of several the one of the newer export: its name comes later, with its supplement.
        elif name > found.setdefault(picture, name):
            found[picture] = name
    if others:
        _match_cut_names(found, others, names)
    _match_edited_copies(found, others, names)
    return found


def _match_cut_names(found: dict[str, str], sidecars: list[str], names: Iterable[str]) -> None:
    """Add the pictures of sidecars whose names are cut within the name of the picture."""
    cut = {(base, number): name for name in sidecars for base, number in _splits(name) if _is_cut(base)}
    for picture in names if cut else ():
        if len(picture) > _MOST_UNITS // 2 and picture not in found and _is_read(picture):
            place = picture.rfind(".")
            stem, number = _split_number(picture[:place])
            found_name = cut.get((_cut(picture), "")) or cut.get((_cut(stem + picture[place:]), number))
            if found_name is not None:
                found[picture] = found_name


def _is_cut(base: str) -> bool:
    """Return whether a name has the greatest length, or one less where the last character would be cut in halves."""
    return _MOST_UNITS // 2 <= len(base) <= _MOST_UNITS and _MOST_UNITS - 1 <= _units(base) <= _MOST_UNITS


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def _cut(text: str) -> str:
    """Cut a text to the greatest length of a name."""
    if text.isascii():
        return text[:_MOST_UNITS]
    return text.encode("utf-16-le", "surrogatepass")[: 2 * _MOST_UNITS].decode("utf-16-le", "ignore")


def _match_edited_copies(found: dict[str, str], others: list[str], names: Iterable[str]) -> None:
    """Add edited copies, with the sidecars of their originals, which may themselves be missing."""
    edited = [each for each in _edited(names) if each[0] not in found and _is_read(each[0])]
    if edited:
        described = {picture: name for name in sorted(others) for picture in _pictures_of(name)} | found
        found.update((picture, described[original]) for picture, original in edited if original in described)


def _splits(name: str) -> tuple[tuple[str, str], ...]:
    """Return the (base, number) that the name of a JSON may have: "a(1).json" may be the number 1 of "a"."""
    base = name[:-5]
    split = _split_number(base)
    return (split, (base, "")) if split[1] else (split,)


def _split_number(base: str) -> tuple[str, str]:
    """Split "IMG.jpg(1)" to "IMG.jpg" and "(1)"; "" where there is none."""
    if not base.endswith(")"):
        return base, ""
    place = base.rfind("(")
    return (base[:place], base[place:]) if place > 0 and _NUMBER.fullmatch(base, place) else (base, "")


def _pictures_of(name: str) -> Iterator[str]:
    """Yield the names of pictures that a JSON may be of, the likeliest first."""
    for base, number in _splits(name):
        place = base.rfind(".")
        if place > 0 and _SUPPLEMENT.startswith(base[place:]):
            yield _with_number(base[:place], number)
        yield _with_number(base, number)


def _with_number(picture: str, number: str) -> str:
    if not number:
        return picture
    place = picture.rfind(".")
    return picture + number if place < 0 else picture[:place] + number + picture[place:]


def _edited(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (edited copy, its original): "IMG-edited(1).jpg" is one of "IMG(1).jpg"."""
    for name in names:
        place = name.rfind("-")
        if place > 0:
            end = name.rfind(".")
            word, number = _split_number(name[place + 1 : end])
            if (word if word.isascii() else unicodedata.normalize("NFC", word)).casefold() in _EDITED:
                yield name, name[:place] + number + name[end:]
