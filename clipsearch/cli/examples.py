"""Examples that end the help of each command, and the query language in brief."""

from typing import Any

from typer.core import TyperArgument

EXAMPLES: dict[str, tuple[str, ...]] = {
    "index": (
        "clipsearch index ~/Pictures",
        "clipsearch index",
        "clipsearch index ~/Pictures --exclude 'private/' --ocr",
    ),
    "watch": ("clipsearch watch ~/Pictures", "clipsearch watch --matches @receipts"),
    "ocr": ("clipsearch ocr", "clipsearch ocr --models ~/models/thai"),
    "reindex": ("clipsearch reindex",),
    "query": (
        'clipsearch query "a dog in the snow" -k 5',
        "clipsearch query ./cat.jpg --not-itself",
        "clipsearch query beach - people taken:2024 --paths",
        "clipsearch query receipt --copy-to ~/receipts",
    ),
    "caption": ("clipsearch caption ./cat.jpg -k 3",),
    "classify": (
        'clipsearch classify ./cat.jpg "a cat" "a dog"',
        "clipsearch classify ./cat.jpg --labels lvis --top 3",
        'clipsearch classify "a cat" --images *.jpg',
    ),
    "captions": ("clipsearch captions add captions.txt", "clipsearch captions list"),
    "explain": ('clipsearch explain ./street.jpg "a bicycle" --out map.png',),
    "label": ("clipsearch label ~/Pictures/2024 --labels coco --write-xmp",),
    "labels": ("clipsearch labels add birds.txt", "clipsearch labels list"),
    "concept": ("clipsearch concept add rex 1.jpg 2.jpg 3.jpg", "clipsearch query '@rex & snow'"),
    "save": ("clipsearch save beach-days 'beach taken:2023..'", "clipsearch query '@beach-days & dog'"),
    "saved": ("clipsearch saved", "clipsearch saved remove beach-days"),
    "album": (
        "clipsearch album add 'Italy 2023' a.jpg id:42",
        "clipsearch album add dogs --matches 'a dog'",
        "clipsearch query boat album:italy",
    ),
    "favourite": ("clipsearch favourite ./cat.jpg", "clipsearch query is:favourite"),
    "cluster": ("clipsearch cluster ~/Pictures/2024 --labels lvis",),
    "unusual": ("clipsearch unusual -k 20",),
    "representative": ("clipsearch representative taken:2024 -k 12",),
    "dupes": ("clipsearch dupes ~/Pictures", "clipsearch dupes --exact --paths"),
    "map": ("clipsearch map", "clipsearch query map:0.1,0.2,0.4,0.5"),
    "status": ("clipsearch status", "clipsearch status --json"),
    "model": ("clipsearch model recommend", "clipsearch model use starter"),
    "config": ("clipsearch config", "clipsearch config set device cpu"),
    "service": ("clipsearch service install ~/Pictures", "clipsearch service status"),
    "serve": ("clipsearch serve --open --watch", "clipsearch serve --host 0.0.0.0"),
    "mcp": ("clipsearch mcp",),
    "export": ("clipsearch export pictures.parquet",),
    "import-embeddings": ("clipsearch import-embeddings pictures.parquet",),
    "forget": ("clipsearch forget ~/Pictures/private",),
    "gc": ("clipsearch gc --dry-run", "clipsearch gc --older-than 30"),
    "backup": ("clipsearch backup catalog.sqlite3",),
    "restore": ("clipsearch restore catalog.sqlite3",),
    "doctor": ("clipsearch doctor", "clipsearch doctor --fix"),
    "demo": ("clipsearch demo",),
    "bench": ("clipsearch bench --model starter",),
    "eval": ("clipsearch eval captions.jsonl",),
}
"""Commands to show, by the name of the command that they are about."""

LANGUAGE = (
    ("a dog in the snow", "words, with dates, places and people among them"),
    ('"black & white" photo', "words as they are between quotes"),
    ("./cat.jpg, id:42", "a picture"),
    ("dog + 0.5:./cat.jpg - people", "a sum with weights, less what is excluded"),
    ("dog & snow", "both in one picture"),
    ("@rex", "a concept, or a saved search"),
    ("-path:backup", "not this filter"),
)
"""The query language in brief: what is written, and its meaning."""


def epilog_of(name: str) -> str | None:
    """Return what ends the help of a command; None without examples."""
    examples = EXAMPLES.get(name)
    if examples is None:
        return None
    parts = [_lines("Examples:", examples)]
    if name == "query":
        from clipsearch.query.filters import EXAMPLES as FILTERS

        width = max(len(written) for written, _ in LANGUAGE)
        parts.append(_lines("Queries:", [f"{written:<{width}}  {meaning}" for written, meaning in LANGUAGE]))
        parts.append(f"Filters: {'  '.join((*FILTERS.values(), 'is:blurred'))}")
        parts.append("Their values: clipsearch help filters. All of it: docs/query-language.md")
    return "\n\n".join(parts)


def _lines(heading: str, lines: Any) -> str:
    # Lines after this sign are not joined.
    return "\n".join(("\b", heading, *(f"  {line}" for line in lines)))


def show_plainly(parameter: Any) -> None:
    """Show an argument by its metavar alone: typer adds its Python type, and brackets to those of the metavar."""
    if isinstance(parameter, TyperArgument):
        parameter.display_type_rich = _no_type  # type: ignore[method-assign]
        parameter.get_usage_pieces = _UsagePieces(parameter).get  # type: ignore[method-assign]


def shorten_help(command: Any) -> None:
    """Have a list of commands show the first paragraph of a command's help, all of it."""
    if command.help:
        command.short_help = " ".join(command.help.partition("\n\n")[0].split())


def _no_type(ctx: Any) -> None:
    return None


class _UsagePieces:
    def __init__(self, parameter: TyperArgument) -> None:
        self._parameter = parameter

    def get(self, ctx: Any) -> list[str]:
        name = self._parameter.display_name_raw
        is_optional = not self._parameter.required and not name.startswith("[")
        return [f"[{name}]" if is_optional else name]
