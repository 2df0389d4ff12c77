"""Find parts of years and decades: "early 2019", "Ende 2019", "début 2019", "the 1990s", "90er Jahre", "años 90"."""

import re
from collections.abc import Sequence
from datetime import date

from clipsearch.query.phrases.found_date import FoundDate
from clipsearch.query.phrases.words import Word, longest, look_up, phrase_list, phrase_table, words_of

_EARLY, _MIDDLE, _LATE = "early", "middle", "late"
_PART_NAMES = {
    _EARLY: "early | early in | beginning of | start of | the beginning of | the start of | anfang | anfang des "
    "jahres | début | au début de | début de | au début de l' année | début de l' année | principios de | a "
    "principios de | comienzos de | a comienzos de | inicios de | a inicios de | a principios del año",
    _MIDDLE: "mid | middle of | the middle of | mitte | mitte des jahres | milieu | au milieu de | mediados de | a "
    "mediados de",
    _LATE: "late | late in | end of | the end of | ende | ende des jahres | fin | fin de | à la fin de | la fin de | "
    "à la fin de l' année | finales de | a finales de | fines de | a fines de",
}
_PARTS = phrase_table(_PART_NAMES)
# Thirds of a year.
_MONTHS = {_EARLY: (1, 5), _MIDDLE: (5, 9), _LATE: (9, 13)}
_HYPHENATED = re.compile(r"mid[-–](\d{4})|mi[-–](\d{4})", re.ASCII)


def find_part_of_year(words: Sequence[Word], at: int) -> FoundDate | None:
    """Find the first, middle or last four months of a year; a noun after it would make something else of it."""
    if found := _HYPHENATED.fullmatch(words[at].key):
        return _months(int(found[1] or found[2]), _MIDDLE, 1)
    part = look_up(words, at, _PARTS)
    place = at + part[0] if part is not None else 0
    if part is None or place >= len(words) or words[place].follows_break:
        return None
    year = re.fullmatch(r"\d{4}", words[place].key, re.ASCII)
    return None if year is None else _months(int(year[0]), part[1], part[0] + 1)


def _months(year: int, part: str, count: int) -> FoundDate:
    first, end = _MONTHS[part]
    last = date(year, end, 1) if end <= 12 else date(year + 1, 1, 1)
    return FoundDate(count, date(year, first, 1), last, may_go_on=True)


_LEADS = phrase_list(
    "in the | from the | of the | during the | the | in den | aus den | der | den | die | dans les | des | pendant les "
    "| les | en los | de los | durante los | los"
)
_DECADE = re.compile(r"'?((?:18|19|20)?\d0)(?:'?s|er|ern)", re.ASCII)
_WORDS = {
    1950: "fifties | fünfziger | fünfzigern | années cinquante | años cincuenta | années 50 | años 50",
    1960: "sixties | sechziger | sechzigern | années soixante | años sesenta | années 60 | años 60",
    1970: "seventies | siebziger | siebzigern | années soixante-dix | años setenta | années 70 | años 70",
    1980: "eighties | achtziger | achtzigern | années quatre-vingt | années quatre-vingts | años ochenta | années 80 | "
    "años 80",
    1990: "nineties | neunziger | neunzigern | années quatre-vingt-dix | años noventa | années 90 | años 90",
}
_DECADES = phrase_table({str(year): names for year, names in _WORDS.items()})
DECADE_WORDS = words_of(_DECADES)
_YEARS_BEFORE = phrase_list("années | années de | años")
_YEARS_AFTER = phrase_list("jahre | jahren")
# Bare numbers of seconds and ages are not these.
_BARE = ("70s", "80s", "90s", "'70s", "'80s", "'90s")


def find_decade(words: Sequence[Word], at: int, today: date) -> FoundDate | None:
    """Find ten years, with the words that lead to them; a noun after them would make something else of them."""
    lead = longest(words, at, _LEADS)
    start = at + lead
    if start >= len(words) or (lead and words[start].follows_break):
        return None
    if named := look_up(words, start, _DECADES):
        count, year = named[0], int(named[1])
        is_sure = lead > 0 or count > 1
    else:
        before = longest(words, start, _YEARS_BEFORE)
        place = start + before
        found = _DECADE.fullmatch(words[place].key + ("s" if before else "")) if place < len(words) else None
        if found is None:
            return None
        year, count = int(found[1]), before + 1
        year += 1900 if 50 <= year < 100 else 0
        is_sure = lead > 0 or len(found[1]) == 4 or words[place].key in _BARE
    if not 1826 <= year <= today.year:
        return None
    count += longest(words, start + count, _YEARS_AFTER) if start + count < len(words) else 0
    return FoundDate(lead + count, date(year, 1, 1), date(year + 10, 1, 1), is_sure, may_go_on=True)
