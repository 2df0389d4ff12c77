"""Convert ratings and colour labels to those of a `Description`."""

import math
from bisect import bisect_right

from clipsearch.description import BEST, REJECTED, UNRATED
from clipsearch.images.descriptions.texts import clean_line

# Lowest percentages of 1 to 5 stars. Source: Windows SDK, propkey.h, RATING_ONE_STAR_MIN to RATING_FIVE_STARS_MIN.
_LOWEST_PERCENT = (1, 13, 38, 63, 88)

# Source: labels of Lightroom Classic in these languages, "Edit Color Label Set"; of Bridge, its preferences "Labels".
_COLOURS = {
    "red": ("rot", "rouge", "rojo", "rosso", "rood", "vermelho", "select"),
    "yellow": ("gelb", "jaune", "amarillo", "giallo", "geel", "amarelo", "second"),
    "green": ("grün", "gruen", "vert", "verde", "groen", "approved"),
    "blue": ("blau", "bleu", "azul", "blu", "blauw", "review"),
    "purple": (
        *("lila", "violett", "violet", "pourpre", "púrpura", "purpura", "morado", "violeta", "viola", "porpora"),
        *("paars", "roxo", "magenta", "to do"),
    ),
}
_COLOUR_OF = {name: colour for colour, names in _COLOURS.items() for name in (colour, *names)}
_NO_LABELS = {"none", "no label", "0"}

# Source: digiKam 8, core/libs/database/coredb/coredbconstants or digikam_globals.h, enum ColorLabel; it has no purple.
_DIGIKAM_COLOURS = ("", "red", "orange", "yellow", "green", "blue", "purple", "gray", "black", "white")
# Source: darktable 5, src/common/colorlabels.h, enum dt_colorlabels_enum.
_DARKTABLE_COLOURS = ("red", "yellow", "green", "blue", "purple")


def read_stars(text: str) -> int | None:
    """Convert an xmp:Rating, "-1" to "5" and decimals of it, to a rating; None where it is none."""
    number = _number(text)
    # Halves go up. NaN fails the comparison.
    return math.floor(number + 0.5) if REJECTED <= number <= BEST else None


def read_percent(text: str) -> int | None:
    """Convert a rating of 0 to 99 or 100 percent, as Windows stores it, to stars."""
    number = _number(text)
    return bisect_right(_LOWEST_PERCENT, number) if UNRATED <= number <= 100 else None


def read_label(text: str) -> str | None:
    """Convert the text of a colour label to a colour in English, or to lower case where it is none that is known."""
    name = clean_line(text).casefold()
    return None if name in _NO_LABELS else (_COLOUR_OF.get(name, name) or None)


def read_digikam_label(text: str) -> str | None:
    """Convert digiKam's number of a colour label; None where it is none, or the text is not such a number."""
    return _colour_at(text, _DIGIKAM_COLOURS)


def read_darktable_label(text: str) -> str | None:
    """Convert darktable's number of a colour label, likewise."""
    return _colour_at(text, _DARKTABLE_COLOURS)


def _colour_at(text: str, colours: tuple[str, ...]) -> str | None:
    is_place = len(text) == 1 and text.isascii() and text.isdigit() and int(text) < len(colours)
    return (colours[int(text)] or None) if is_place else None


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ".")) if len(text) < 20 else math.nan
    except ValueError:
        return math.nan
