"""Find "on this day" among the words of a query: today's day and month in earlier years."""

from collections.abc import Sequence

from clipsearch.query.phrases.words import Word, longest, phrase_list

_PHRASES = phrase_list(
    "on this day | on this date | on this day in history | this day in history | on this day in other years | on this "
    "day in past years | on this day in previous years | on this day in earlier years | on this day years ago | an "
    "diesem tag | an diesem tag vor jahren | an diesem tag in anderen jahren | heute vor jahren | heute vor einigen "
    "jahren | ce jour-là | ce jour là | en ce jour | un jour comme aujourd'hui | en este día | en este dia | un día "
    "como hoy | un dia como hoy | tal día como hoy | tal dia como hoy"
)


def find_this_day(words: Sequence[Word], at: int) -> int:
    """Return the number of words at a position that mean today's day in earlier years; 0 for none."""
    return longest(words, at, _PHRASES)
