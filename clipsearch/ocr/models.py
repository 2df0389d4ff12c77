"""Find the models that read text: those of the package rapidocr, and those of a folder that the user names."""

import os
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from blake3 import blake3

from clipsearch.errors import InputError, MissingExtraError, ModelError
from clipsearch.trust import add_to_list, read_list

BUNDLED = "bundled"
"""What the user names instead of a folder for the models of the package."""

FOLDERS_NAME = "text-model-folders"
"""List of the folders that the user has named on this machine, see `trust`."""

_DETECTOR, _RECOGNISER, _TURNS = (
    "PP-OCRv6_det_small.onnx",
    "PP-OCRv6_rec_small.onnx",
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
)

# Characters of the fingerprint in the name of the models of a folder.
_DIGITS = 12

# The largest recognisers of the family have 90 MB.
_MOST_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Model that reads a line.

    Attributes:
        characters: file of what it can read, a character in each line; None: that is in the metadata of the model.
    """

    model: Path
    characters: Path | None = None


@dataclass(frozen=True, slots=True)
class OcrModels:
    """ONNX files of one reader of text.

    Attributes:
        name: as it is stored for what it has read.
        detector: finds where text is.
        recognisers: read a line, one or more; the later ones what the first is not sure of.
        turns: tells whether a line is upside down.
    """

    name: str
    detector: Path
    recognisers: tuple[Recogniser, ...]
    turns: Path


def bundled_models() -> OcrModels:
    """Return the models in the package rapidocr, which read Latin letters, Chinese and Japanese.

    Raises:
        MissingExtraError: the package is not installed.
        ModelError: it is another version, without these models.
    """
    # Not imported, which takes half a second.
    found = find_spec("rapidocr")
    if found is None or found.origin is None:
        raise MissingExtraError("text in pictures", "rapidocr", "clipsearch[ocr]")
    folder = Path(found.origin).parent / "models"
    detector, recogniser, turns = (folder / name for name in (_DETECTOR, _RECOGNISER, _TURNS))
    for file in (detector, recogniser, turns):
        if not file.is_file():
            raise ModelError(f"this version of rapidocr lacks {file.name}: pip install 'clipsearch[ocr]'")
    return OcrModels("PP-OCRv6 small", detector, (Recogniser(recogniser),), turns)


def models_in(folder: str | os.PathLike[str]) -> OcrModels:
    """Return the models of a folder: files *.onnx with "rec", "det" or "cls" as a part of their names.

    At least one of them reads lines ("rec"); its characters are in a file *.txt with the same stem, or in its metadata.
    A single one may have them in the only file *.txt with "dict" or "keys" in its name. The models of the package stand
    in for the others, and read lines as well. The name has a fingerprint of the files.

    Raises:
        MissingExtraError: as in `bundled_models`.
        InputError: no folder, none that reads lines, or several where one is used.
    """
    place = _place_of(folder)
    if not str(folder) or not place.is_dir():
        raise InputError(f"no folder of models: {place if str(folder) else 'no name'}")
    files = sorted(each for each in place.iterdir() if each.suffix.lower() in (".onnx", ".txt") and each.is_file())
    models: dict[str, list[Path]] = {"rec": [], "det": [], "cls": []}
    for file in files:
        roles = models.keys() & re.split(r"[^a-z]+", file.stem.lower())
        if file.suffix.lower() == ".onnx" and len(roles) == 1:
            models[roles.pop()].append(file)
    if not models["rec"]:
        raise InputError(f'{place} has no model that reads lines of text: a file *.onnx with "rec" in its name')
    for role in ("det", "cls"):
        if len(models[role]) > 1:
            raise InputError(f"{place} has several models {role}: {', '.join(each.name for each in models[role])}")
    lists = [each for each in files if each.suffix.lower() == ".txt" and re.search("dict|keys", each.stem.lower())]
    bundled = bundled_models()
    is_one = len(models["rec"]) == len(lists) == 1
    own = tuple(Recogniser(model, _characters_of(model, lists[0] if is_one else None)) for model in models["rec"])
    used = [*models["det"], *models["cls"], *models["rec"], *(each.characters for each in own if each.characters)]
    return replace(
        bundled,
        name=f"{_shown_name(place)} {_fingerprint(used)}",
        detector=next(iter(models["det"]), bundled.detector),
        recognisers=(*bundled.recognisers, *own),
        turns=next(iter(models["cls"]), bundled.turns),
    )


def _place_of(folder: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(Path(folder).expanduser()))  # noqa: PTH100 (without "..", and links as they are)


def _shown_name(folder: Path) -> str:
    return os.fsencode(folder.name).decode("utf-8", "replace")


def _characters_of(model: Path, only: Path | None) -> Path | None:
    same = model.with_suffix(".txt")
    return same if same.is_file() else only


def _fingerprint(files: list[Path]) -> str:
    """Hash names and contents.

    Raises:
        InputError: a file can't be read, or is larger than a model is.
    """
    digest = blake3()
    for file in files:
        try:
            if file.stat().st_size > _MOST_BYTES:
                raise InputError(f"{file} is too large for a model that reads text")
            digest.update(blake3(os.fsencode(file.name)).digest() + blake3().update_mmap(file).digest())
        except OSError as error:
            raise InputError(f"can't read {file}: {error.strerror or error}") from error
    return digest.hexdigest()[:_DIGITS]


def remember_folder(folder: str | os.PathLike[str]) -> None:
    """Remember a folder of models that the user has named, for `find_models`."""
    add_to_list(FOLDERS_NAME, quote(os.fsencode(_place_of(folder))))


def find_models(name: str | None) -> OcrModels:
    """Return the models of a folder that the user has named, by their name in a catalog; None: those of the package.

    Raises:
        MissingExtraError: as in `bundled_models`.
        ModelError: they are in none of the folders.
    """
    if name is None:
        return bundled_models()
    for entry in reversed(read_list(FOLDERS_NAME)):
        place = Path(os.fsdecode(unquote_to_bytes(entry)))
        if name.startswith(f"{_shown_name(place)} "):
            try:
                models = models_in(place)
            except (InputError, OSError):
                continue
            if models.name == name:
                return models
    raise ModelError(f"the models that read text before, {name!r}, are missing: clipsearch ocr --models FOLDER")


def pack_models(models: OcrModels) -> dict[str, Any]:
    """Return models as JSON, for another process of this machine."""
    return {
        "name": models.name,
        "detector": str(models.detector),
        "recognisers": [
            [str(each.model), *([] if each.characters is None else [str(each.characters)])]
            for each in models.recognisers
        ],
        "turns": str(models.turns),
    }


def unpack_models(found: dict[str, Any]) -> OcrModels:
    """Return what `pack_models` has described."""
    recognisers = tuple(Recogniser(*map(Path, each)) for each in found["recognisers"])
    return OcrModels(found["name"], Path(found["detector"]), recognisers, Path(found["turns"]))
