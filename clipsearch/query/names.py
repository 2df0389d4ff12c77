"""Map the filter names of other programs to ours, and find typos in filter names."""

from collections.abc import Iterator

from clipsearch.query.filters import KEYS, SHORTHANDS, SYNONYMS


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


OTHER_NAMES: dict[str, str] = {
    name: key
    for key, names in {
        "path": "folder foldername dir directory file filename filepath name child startwith endwith in inside "
        "inpath infolder parent root",
        "taken": "date dates datetaken takendate takenon year month day datetime datetimeoriginal when created "
        "captured capturedate datecaptured shot shoton on before after since until from to older newer olderthan "
        "newerthan during between modified datemodified datecreated dateaccessed dm dc rc",
        "near": "gps geo lat latitude lng longitude radius",
        "place": "places location where city town state province region sublocation",
        "country": "countries countrycode nation",
        "camera": "make model maker device phone cam cameramodel cameramake cameramaker devicemake",
        "type": "format ext extension filetype fileext fileextension fileformat mime mimetype suffix media mediatype",
        "size": "filesize larger largerthan bigger biggerthan smaller smallerthan minsize maxsize",
        "w": "width wide imagewidth pixelwidth minwidth maxwidth mp mpx megapixel megapixels pixel pixels px "
        "resolution res dimension dimensions",
        "h": "height high imageheight pixelheight minheight maxheight",
        "sharp": "sharpness blur blurred blurry blurriness unsharp focused outoffocus",
        "bright": "brightness luminance lightness dark darkness underexposed overexposed",
        "length": "duration runtime playtime playingtime longer longerthan shorter shorterthan minlength maxlength "
        "minduration maxduration",
        "orientation": "orient layout aspect is",
        "has": "hasgps no without missing",
        "rating": "ratings stars star starred rated minrating maxrating",
        "tag": "tags keyword keywords hashtag hashtags subject",
        "person": "persons people face faces who",
        "label": "labels colorlabel colourlabel",
        "title": "intitle headline",
        "creator": "author artist photographer owner by",
        "album": "albums albumname inalbum collection collections favourite favourites favorite favorites fav favs",
        "written": "words caption captions description desc comment comments writing fulltext",
        "text": "texts ocr lettering intext",
        "image": "picture img photo pic like similar similarto url ids",
    }.items()
    for name in names.split()
}
"""Filter key by its name in other programs, without hyphens and underscores, see `normalise_name`."""

LIMITS = {
    **dict.fromkeys(("before", "older", "olderthan", "smaller", "smallerthan", "shorter", "shorterthan"), "<"),
    **dict.fromkeys(("until", "to", "maxsize", "maxwidth", "maxheight", "maxlength", "maxduration", "maxrating"), "<="),
    **dict.fromkeys(
        ("after", "newer", "newerthan", "larger", "largerthan", "bigger", "biggerthan", "longer", "longerthan"), ">"
    ),
    **dict.fromkeys(
        ("since", "from", "minsize", "minwidth", "minheight", "minlength", "minduration", "minrating"), ">="
    ),
}
"""Comparison operator that a name implies, which this language writes before the value."""

RIGHT_FORMS = {
    **dict.fromkeys(("blur", "blurred", "blurry", "blurriness", "unsharp", "outoffocus"), "is:blurred"),
    **dict.fromkeys(("dark", "darkness", "underexposed"), "is:dark"),
    **dict.fromkeys(("favourite", "favourites", "favorite", "favorites", "fav", "favs"), "is:favourite"),
    **dict.fromkeys(("mp", "mpx", "megapixel", "megapixels", "pixel", "pixels", "px"), "w:>=1920 h:>=1080"),
    **dict.fromkeys(("resolution", "res", "dimension", "dimensions"), "w:>=1920 h:>=1080"),
}
"""Correct form for names that are not a plain synonym of one filter."""

_ABSENT = _names(
    "flag iso lens aperture focal focallength shutter shutterspeed exposure flash fstop "
    "bitdepth depth duration length alt altitude ratio aspectratio dupe dupes duplicate duplicates is attrib "
    "attributes edited cc bcc category regex case list site inurl pick picked flagged"
)
_ABSENT_WITH_A_NUMBER = _names("f mm ev fps dpi")
_OF_WORDS = _names("content color colour scene object query search")
_OF_RESULTS = {
    **dict.fromkeys(
        ("sort", "sortby", "order", "orderby"),
        "the order is an option, as in --sort taken",
    ),
    **dict.fromkeys(
        ("limit", "top", "topk", "count", "maxresults"), "the number of results is set outside of the query"
    ),
}
_OF_RESULTS_WITH_A_NUMBER = _names("k n")


def normalise_name(name: str) -> str:
    """Normalise a filter name for comparison: date_taken, date-taken and DateTaken are equal."""
    return name.lower().replace("_", "").replace("-", "")


def find_unsupported(name: str, value: str) -> str | None:
    """Explain that a filter of other programs does not exist here; None when other programs don't have it either.

    Args:
        name: see `normalise_name`.
    """
    if name == "is":
        words = [word for word in SHORTHANDS if word not in SYNONYMS]
        return f"is: takes {', '.join(words[:-1])} or {words[-1]}, not {value[:40]}; words with a colon go in quotes"
    is_number = value[:1].isdecimal()
    if name in _ABSENT or (is_number and name in _ABSENT_WITH_A_NUMBER):
        return no_such_filter(name)
    if name in _OF_RESULTS or (is_number and name in _OF_RESULTS_WITH_A_NUMBER):
        return f"there is no {name}: {_OF_RESULTS.get(name, _OF_RESULTS['limit'])}; words with a colon go in quotes"
    if name in _OF_WORDS:
        return write_alone(name, value)
    return None


def write_alone(name: str, value: str) -> str:
    """Format the message that a text is searched without a prefix such as `caption:`."""
    words = " ".join(value.split())[:40]
    return f"there is no {name}: write the words alone, as in {words}; words with a colon go in quotes"


def no_such_filter(name: str) -> str:
    """Format the message that a filter is unknown, with all filter keys."""
    return f"there is no {name}: but {', '.join(f'{key}:' for key in (*KEYS, 'is'))}; words with a colon go in quotes"


def find_typo(word: str) -> Iterator[str]:
    """Yield the filter keys, then the longer names of `OTHER_NAMES`, at an edit distance of 1 from a word.

    Edits are the deletion, insertion or substitution of a letter, and the transposition of two adjacent letters.
    """
    found = {name for part in {word, *_deletions_of(word)} for name in _BY_DELETION.get(part, ())}
    yield from (name for name in _NAMES_IN_ORDER if name in found and _is_one_edit(word, name)) if found else ()


def _deletions_of(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(len(word)))


def _is_one_edit(word: str, name: str) -> bool:
    """Return whether two words that share a deletion are at an edit distance of 1."""
    if len(word) != len(name):
        return abs(len(word) - len(name)) == 1
    places = [place for place, (one, other) in enumerate(zip(word, name, strict=True)) if one != other]
    if len(places) == 2:
        first, second = places
        return second == first + 1 and word[first] == name[second] and word[second] == name[first]
    return len(places) == 1


# Shorter names are one edit away from common words.
_NAMES_IN_ORDER = (*(key for key in KEYS if len(key) >= 3), *(name for name in OTHER_NAMES if len(name) >= 5))
_BY_DELETION: dict[str, list[str]] = {}
for _name in _NAMES_IN_ORDER:
    for _part in {_name, *_deletions_of(_name)}:
        _BY_DELETION.setdefault(_part, []).append(_name)
