"""Implement clipsearch album list | show | add | remove | rename | delete, and favourite."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipsearch.cli.options import CatalogOption, JsonOption
from clipsearch.cli.render import note, out, print_json, print_paths, printable, shown_path
from clipsearch.errors import InputError
from clipsearch.paths import expand_user
from clipsearch.quantities import count
from clipsearch.query.filters import FAVOURITES
from clipsearch.store.album_rows import Album

if TYPE_CHECKING:
    from clipsearch.catalog import Catalog

app = typer.Typer(
    help="Put pictures together in albums, for album:NAME in queries.", no_args_is_help=True, rich_markup_mode=None
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the album, case-insensitive.")]
PicturesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PICTURE]...", help="Pictures of the catalog: files, or numbers like id:42."),
]
MatchesOption = Annotated[
    str | None,
    typer.Option(
        "--matches",
        metavar="QUERY",
        help="Also the pictures that match a query, as in --matches @beach-days: those that pass its filters and are "
        "likely matches of its words, up to 10,000.",
        show_default=False,
    ),
]

# Hits of --matches.
_MOST_MATCHES = 10_000


@app.command("list")
def list_(catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """List the albums."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        albums = opened.albums.list()
    if json:
        print_json({"albums": [_row(album) for album in albums]})
        return
    if not albums:
        note("no albums: make one with 'clipsearch album add NAME PICTURE...'")
    for album in albums:
        out(_line(album))


@app.command("show")
def show(
    name: NameArgument,
    paths: Annotated[bool, typer.Option("--paths", help="Print paths only, one per line.")] = False,
    print0: Annotated[bool, typer.Option("-0", "--print0", help="Print paths only, ended by NUL.")] = False,
    write_xmp: Annotated[
        bool, typer.Option("--write-xmp", help="Add the album's name as a keyword to XMP sidecars of its pictures.")
    ] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> int:
    """Print the pictures of an album, in the order they were added."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        album, content_ids = opened.albums.get(name), opened.albums.pictures(name)
        files = {each.content_id: each.paths for each in opened.pictures.list(content_ids)}
        report = opened.pictures.add_keywords(list(files), [album.name]) if write_xmp else None
    if json:
        pictures = [{"id": each, "paths": list(files.get(each, ()))} for each in content_ids]
        print_json(_row(album) | {"pictures": pictures})
    elif paths or print0:
        print_paths((files[each][0] for each in content_ids if each in files), end=b"\0" if print0 else b"\n")
    else:
        out(_line(album))
        for each in content_ids:
            out(f"id:{each}  {shown_path(files[each][0]) if each in files else '(its file was removed)'}")
    if report is None:
        return 0
    note(f"{count(report.written, 'sidecar')} written")
    for reason in report.failed:
        note(f"clipsearch: {reason}")
    return 1 if report.failed else 0


@app.command("add")
def add(
    name: NameArgument,
    pictures: PicturesArgument = None,
    matches: MatchesOption = None,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Add pictures to an album, which is made where there is none.

    Files are not changed or moved.
    """
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        _add(name, pictures, matches, opened, json=json)


@app.command("remove")
def remove(
    name: NameArgument, pictures: PicturesArgument = None, catalog: CatalogOption = None, json: JsonOption = False
) -> None:
    """Take pictures out of an album."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        _remove(name, pictures, opened, json=json)


@app.command("rename")
def rename(
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="The new name.")],
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Rename an album."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        album = opened.albums.rename(name, new_name)
    if json:
        print_json(_row(album))
    else:
        out(_line(album))


@app.command("delete")
def delete(name: NameArgument, catalog: CatalogOption = None, json: JsonOption = False) -> None:
    """Delete an album.

    Its pictures stay.
    """
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        album = opened.albums.get(name)
        opened.albums.delete(album.name)
    if json:
        print_json({"deleted": album.name})
    else:
        out(f"{printable(album.name)} deleted; its {count(album.count, 'picture stays', 'pictures stay')}")


def favourite(
    pictures: PicturesArgument = None,
    matches: MatchesOption = None,
    undo: Annotated[bool, typer.Option("--remove", help="Take them out of the favourites.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Add pictures to the favourites.

    Then is:favourite finds them, and 'clipsearch album show favourites' lists them.
    """
    from clipsearch.catalog import Catalog

    if undo and matches is not None:
        raise InputError("--remove takes pictures, not --matches")
    with Catalog.open(catalog) as opened:
        if undo:
            _remove(FAVOURITES, pictures, opened, json=json)
        else:
            _add(FAVOURITES, pictures, matches, opened, json=json)


def _add(name: str, pictures: list[str] | None, matches: str | None, catalog: "Catalog", *, json: bool) -> None:
    from clipsearch.scoring.relevance import DEFAULT_CUTOFF

    if not pictures and matches is None:
        raise InputError("name a picture to add, or a query with --matches")
    _check_pictures(pictures or ())
    found: list[Any] = list(pictures or ())
    if matches is not None:
        query = catalog.saved.expand(catalog.understand(matches, may_name_files=True).query)
        cutoff = DEFAULT_CUTOFF if query.groups else 0.0
        hits = catalog.search(query, top_k=_MOST_MATCHES, min_relevance=cutoff, stacks=False)
        if not hits and not found:
            raise InputError(f"no picture matches {printable(matches)}: nothing is added")
        found += hits
    added = catalog.albums.add(name, found)
    _report(f"{count(added, 'picture')} added", {"added": added}, catalog.albums.get(name), json=json)


def _remove(name: str, pictures: list[str] | None, catalog: "Catalog", *, json: bool) -> None:
    if not pictures:
        raise InputError("name a picture to take out")
    _check_pictures(pictures)
    removed = catalog.albums.remove(name, pictures)
    _report(f"{count(removed, 'picture')} taken out", {"removed": removed}, catalog.albums.get(name), json=json)


def _check_pictures(pictures: Sequence[str]) -> None:
    for each in pictures:
        if expand_user(each).is_dir():
            raise InputError(f"{each} is a folder: name pictures, or with --matches 'path:FOLDER/*' those of a folder")


def _report(what: str, numbers: dict[str, int], album: Album, *, json: bool) -> None:
    if json:
        print_json(_row(album) | numbers)
    else:
        out(f"{_line(album)}; {what}")


def _line(album: Album) -> str:
    return f"{printable(album.name)}  {count(album.count, 'picture')}"


def _row(album: Album) -> dict[str, Any]:
    return {
        "name": album.name,
        "count": album.count,
        "created_at": album.created_at.isoformat(timespec="seconds"),
    }
