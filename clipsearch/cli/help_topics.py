"""Describe what is not a command, for clipsearch help TOPIC."""

from collections.abc import Sequence

TOPICS = ("filters", "query-language")
"""Names of topics; both stand for the same text."""

_MEANINGS = {
    "path": "part of the path; with * and ? all of it, from the root or from the indexed folder",
    "taken": "date: a year, month, day, .. between two, >= or <=; --07-04 is a day of every year",
    "near": "within a distance of coordinates or of a city",
    "place": "city, region or country, in any language",
    "country": "two letters, or a name",
    "camera": "part of make and model",
    "type": "{}",
    "size": "size of the file",
    "w": "width in pixels",
    "h": "height in pixels",
    "sharp": "sharpness, 0 to 100",
    "bright": "brightness, 0 to 100",
    "length": "duration in seconds, or with min or h",
    "rating": "stars, 0 to 5",
    "kind": "{}",
    "orientation": "{}",
    "tag": "keyword, by whole words of it; with * and ? all of it",
    "person": "name of somebody",
    "label": "colour label",
    "title": "part of the title",
    "creator": "word of the creator's name",
    "album": "album, by its name or words of it",
    "written": "part of title, caption, keywords, people, places, or names of files and folders",
    "text": "part of the text that was read in the picture",
    "map": "rectangle of the map of meaning, 0 to 1",
    "has": "{}",
    "is": "{}",
}


def describe_topic() -> str:
    """Return the text about all `TOPICS`: what queries and their filters are made of."""
    from clipsearch.cli.examples import LANGUAGE
    from clipsearch.query.filters import CHOICES, EXAMPLES

    examples = {**EXAMPLES, "is": "is:blurred"}
    filters = [(example, _MEANINGS[key].format(", ".join(CHOICES.get(key, ())))) for key, example in examples.items()]
    return "\n".join(
        [
            "Queries:",
            *_table(LANGUAGE),
            "",
            "Filters:",
            *_table(filters),
            "",
            "All filters of a query must hold; - before one excludes. Values with blanks go in quotes.",
            "All of it: docs/query-language.md",
        ]
    )


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    from textwrap import wrap

    width = max(len(written) for written, _ in rows)
    lines = []
    for written, meaning in rows:
        first, *others = wrap(meaning, 100 - width)
        lines += [f"  {written:<{width}}  {first}", *(f"  {'':<{width}}  {each}" for each in others)]
    return lines
