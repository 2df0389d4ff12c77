"""Find cameras of the catalog, kinds of files and orientations in the words of a query."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clipsearch.query.phrases.dates import is_closed
from clipsearch.query.phrases.words import Word, longest, look_up, phrase_list, phrase_table, vocabulary


@dataclass(frozen=True, slots=True)
class FoundFilter:
    """A filter in words.

    Attributes:
        count: words that it takes.
        key, value: of the filter.
        is_sure: False: it may be part of the picture.
    """

    count: int
    key: str
    value: str
    is_sure: bool = True


_MADE = vocabulary(
    "taken shot photographed aufgenommen fotografiert pris prise prises photographié photographiée photographiées "
    "tomada tomadas fotografiada fotografiadas"
)
_WITH = vocabulary("with mit avec con")
_MADE_WITH = _WITH | vocabulary("on")
_ARTICLES = vocabulary(
    "a an the my our der dem den ein eine einer einem meiner meinem un une mon ma el la le l' una mi"
)
# Makers and models that are no words of anything else: alone after a comma they are the camera.
MAKERS = vocabulary(
    "canon nikon olympus fujifilm fuji leica pentax panasonic lumix iphone ipad gopro hasselblad ricoh huawei xiaomi "
    "samsung sony dji casio minolta konica kodak motorola oneplus zeiss sigma"
)
# Words that make a camera part of the picture.
_CAMERA_WORDS = vocabulary("camera cameras kamera kameras caméra appareil cámara cámaras phone telefon")
_MOST_NAME_WORDS = 4


class CameraNames:
    """Names of cameras, by the words that they have."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = [f" {_only_words(name.casefold())} " for name in names]

    def find(self, words: Sequence[Word], at: int) -> int:
        """Return the number of words, at most four, that are part of a camera's name; 0 for none."""
        for count in range(min(_MOST_NAME_WORDS, len(words) - at), 0, -1):
            part = words[at : at + count]
            if any(word.follows_break for word in part[1:]):
                continue
            text = _only_words(" ".join(word.key for word in part))
            if len(text) > 2 and not text.isdigit() and any(f" {text} " in name for name in self._names):
                return count
        return 0


def _only_words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text))


class HasCameras(Protocol):
    """Whatever knows the cameras, which are read when they are needed."""

    @property
    def cameras(self) -> CameraNames:
        """Cameras by the words of their names."""
        ...


def find_camera(words: Sequence[Word], at: int, context: HasCameras) -> FoundFilter | None:
    """Find "taken with a Canon", "shot on iPhone", and a name alone at the end after a comma."""
    is_made = words[at].key in _MADE
    place = at + is_made
    has_with = place < len(words) and words[place].key in (_MADE_WITH if is_made else _WITH)
    place += has_with
    while has_with and place < len(words) and words[place].key in _ARTICLES:
        place += 1
    follows_break = at > 0 and words[at].follows_break
    may_be_one = place < len(words) and (has_with or (follows_break and not is_made))
    count = context.cameras.find(words, place) if may_be_one else 0
    end = place + count
    is_of_camera = end < len(words) and words[end].key in _CAMERA_WORDS and not words[end].follows_break
    is_alone = not has_with and is_closed(words, end)
    if not count or (is_of_camera and not is_made) or not (has_with or is_alone):
        return None
    value = " ".join(word.key for word in words[place:end])
    # A word of a camera's name may be any word: "fruit, apple, banana".
    is_camera = count > 1 or words[place].key in MAKERS or any(character.isdigit() for character in value)
    goes_on = end < len(words) and any(character.isdigit() for character in words[end].key)  # another model
    is_sure = is_camera and (is_made or is_alone) and not goes_on
    return FoundFilter(end + is_of_camera - at, "camera", value, is_sure) if is_sure or has_with else None


_FILMS = vocabulary("videos films movies vídeos vidéos filme")
_RAWS = phrase_list("raw files | raws")
_OF = vocabulary("of von vom de d' du del")
_ORIENTATION_NAMES = {
    "portrait": "in portrait orientation | in portrait format | portrait orientation | portrait format | "
    "im hochformat | hochformat | en format portrait | format portrait | formato vertical",
    "landscape": "in landscape orientation | in landscape format | landscape orientation | landscape format | "
    "im querformat | querformat | en format paysage | format paysage | formato horizontal",
    "square": "square format | im quadratformat | format carré | formato cuadrado",
}
_ORIENTATIONS = phrase_table(_ORIENTATION_NAMES)


def find_kind(words: Sequence[Word], at: int) -> FoundFilter | None:
    """Find "videos of" at the start, and orientations. A film alone is what many pictures show."""
    if at == 0 and len(words) > 2 and words[0].key in _FILMS and words[1].key in _OF:
        return FoundFilter(2, "type", "film")
    if at == 0 and len(words) == 1 and words[0].key in _FILMS:
        return FoundFilter(1, "type", "film")
    if at == 0 and (count := longest(words, 0, _RAWS)):
        follows = count < len(words) and words[count].key in _OF
        return FoundFilter(count + follows, "type", "raw") if follows or count == len(words) else None
    found = look_up(words, at, _ORIENTATIONS)
    return None if found is None else FoundFilter(found[0], "orientation", found[1])
