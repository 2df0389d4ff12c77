"""Check everything in a catalog, even one that can't be opened."""

import os
from collections.abc import Sized
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clipsearch.errors import ClipSearchError, ForeignSchemaError, StoreError, VectorIndexError
from clipsearch.indexes.names import require_own_folder
from clipsearch.maintenance.check_milvus import check_server
from clipsearch.maintenance.check_snapshots import check_snapshots
from clipsearch.maintenance.orphans import find_leftovers, find_partial_copies
from clipsearch.maintenance.permissions import find_exposed_paths
from clipsearch.maintenance.reports import Finding
from clipsearch.paths import CatalogPlace, expand_user, index_folder, is_folder_url
from clipsearch.quantities import count
from clipsearch.settings import STARTER
from clipsearch.store import Kind, Store
from clipsearch.store.backends.connection import DATABASE_NAME, SqliteReadConnection
from clipsearch.store.migrate import HEAD_REVISION, current_revision
from clipsearch.store.reader import Reader
from clipsearch.store.recovery.integrity import FileInspection, Inspection

# Size of the sample of embeddings and index rows, unless all are checked.
SAMPLE = 1_000

_INDEX_ONLY = ("wrong # of entries in index", "non-unique entry in index")
_FIX = "'clipsearch doctor --fix' repairs it: "
_REREAD_NOTE = "; the next 'clipsearch index' reads again what is missing"

_NOUNS: dict[Kind, str] = {"images": "pictures", "captions": "captions"}


@dataclass(slots=True)
class Examination:
    """Findings, and what the repair needs to know.

    Attributes:
        broken: ids of embeddings to delete, by kind.
        leftovers: index files that nothing uses, and partial copies of the database.
        exposed_paths: files and folders that others than the owner may use.
        is_readable: whether the content of the database could be checked.
    """

    findings: list[Finding] = field(default_factory=list)
    stored_embeddings: int = 0
    checked_embeddings: int = 0
    index_rows: int = 0
    compared_rows: int = 0
    broken: dict[Kind, list[int]] = field(default_factory=dict)
    leftovers: list[Path] = field(default_factory=list)
    exposed_paths: list[Path] = field(default_factory=list)
    is_readable: bool = False

    def add(self, severity: Literal["error", "warning", "info"], check: str, message: str, remedy: str) -> None:
        self.findings.append(Finding(severity, check, message, remedy))


def examine(place: CatalogPlace, *, full: bool) -> Examination:
    """Check a catalog without changing anything; the content is skipped when the database's pages are damaged.

    Raises:
        CatalogNotFoundError: there is none on the server.
        StoreError: the file can't be opened at all, or the server can't be reached.
    """
    found = Examination()
    directory, sample = place.directory, None if full else SAMPLE
    if place.server is not None:
        with Store(place) as store:
            _check_content(directory, store.reader, Inspection(store.connection), found, sample=sample)
    else:
        database = directory / DATABASE_NAME
        with FileInspection(database) as inspection:
            if _check_schema(database, found) and _check_file(database, inspection, found, full=full):
                with closing(Reader(SqliteReadConnection(database))) as reader:
                    _check_content(directory, reader, inspection, found, sample=sample)
    partial_copies = find_partial_copies(directory)
    found.leftovers += partial_copies
    if partial_copies:
        found.add(
            "warning",
            "leftovers",
            f"a partial copy of the database is left over: {partial_copies[0].name}{_and_more(partial_copies)}",
            _FIX + "leftovers are deleted, as 'clipsearch gc' does",
        )
    try:
        require_own_folder(index_folder(directory))
    except VectorIndexError as error:
        found.add("error", "links", str(error), "queries are answered from the database until then")
    found.exposed_paths = find_exposed_paths(directory)
    if found.exposed_paths:
        shown = ", ".join(str(place.relative_to(directory.parent)) for place in found.exposed_paths[:3])
        more = f" and {len(found.exposed_paths) - 3:,} more" if len(found.exposed_paths) > 3 else ""
        found.add(
            "warning",
            "permissions",
            f"others may read or change {shown}{more}",
            _FIX + "only the owner keeps access",
        )
    return found


def _check_content(
    directory: Path, reader: Reader, inspection: Inspection, found: Examination, *, sample: int | None
) -> None:
    try:
        if not _check_values(inspection, found):
            return
        _check_rows(inspection, found, sample=sample)
        _check_index_files(directory, reader, inspection, found, sample=sample)
        _check_index_server(reader, inspection, found, sample=sample)
        _check_surroundings(reader, inspection, found)
        found.is_readable = True
    except StoreError as error:
        found.add("error", "content", str(error), "'clipsearch restore FILE' where there is a backup")


def _check_schema(database: Path, found: Examination) -> bool:
    """Return whether the database may be queried: a foreign schema could run code."""
    try:
        current_revision(database)
    except ForeignSchemaError as error:
        found.add(
            "error",
            "foreign",
            f"the database holds {error.__cause__}; its content was not checked",
            _FIX + "its rows are saved into a new database without it",
        )
        return False
    except StoreError:
        pass  # damaged, or another application's: reported by the next checks
    return True


def _check_file(database: Path, inspection: FileInspection, found: Examination, *, full: bool) -> bool:
    """Return whether the content can be checked."""
    damage = inspection.find_damage(full=full)
    if damage and all(_is_index_damage(line) for line in damage):
        found.add(
            "error",
            "database indexes",
            f"SQLite's own indexes do not agree with the tables: {damage[0]}{_and_more(damage)}",
            _FIX + "they are rebuilt",
        )
        return False
    if not damage:
        try:
            revision = current_revision(database)
        except StoreError:
            found.add(
                "error",
                "version",
                "the file is an SQLite database of another application",
                "move it away, or 'clipsearch restore FILE'",
            )
            return False
        if revision == HEAD_REVISION:
            return True
        if revision is None and database.stat().st_size == 0:
            damage = ["the file is empty"]
        elif revision is None:
            damage = ["it has no schema, or no schema version"]
        elif revision > HEAD_REVISION:
            found.add(
                "error",
                "version",
                f"it was written by a newer clipsearch (schema {revision}, this one knows {HEAD_REVISION})",
                "upgrade with 'pip install -U clipsearch'",
            )
            return False
        else:
            found.add(
                "warning",
                "schema",
                f"it was written by an older clipsearch (schema {revision}, this one's is {HEAD_REVISION}): its "
                "content was not checked",
                "any other command upgrades it, after a copy; so does 'clipsearch doctor --fix'",
            )
            return False
    found.add(
        "error",
        "pages",
        f"the database is damaged: {damage[0]}{_and_more(damage)}; its content was not checked",
        "'clipsearch restore FILE' where there is a backup; else 'clipsearch doctor --fix' saves what can be read",
    )
    return False


def _check_values(inspection: Inspection, found: Examination) -> bool:
    """Return whether the other checks can rely on the types and forms of the values."""
    invalid = inspection.find_invalid()
    for table, number in sorted(invalid.items()):
        found.add(
            "error",
            "rows",
            f"{count(number, f'row of {table} has', f'rows of {table} have')} invalid values, such as names that "
            "lead out of a folder; nothing else was checked",
            _FIX + f"they are deleted or recreated{_REREAD_NOTE}",
        )
    return not invalid


def _check_rows(inspection: Inspection, found: Examination, *, sample: int | None) -> None:
    misplaced = inspection.count_misplaced_parts()
    if misplaced:
        found.add(
            "error",
            "rows",
            f"{count(misplaced, 'row of parts has', 'rows of parts have')} ids of other pictures",
            _FIX + f"such rows are deleted{_REREAD_NOTE}",
        )
    incomplete = inspection.count_incomplete_parts()
    if incomplete and not misplaced:
        found.add(
            "error",
            "embeddings",
            f"{count(incomplete, 'picture has', 'pictures have')} parts without an embedding",
            _FIX + "the embedding of the picture is deleted; the next 'clipsearch index' computes all again",
        )
    orphans = inspection.find_orphans()
    if misplaced:  # their embeddings belong to no part
        del orphans["image_embeddings", "contents"]
    for (table, parent), number in sorted(orphans.items()):
        found.add(
            "error",
            "rows",
            f"{count(number, f'row of {table} refers', f'rows of {table} refer')} to missing {parent}",
            _FIX + f"such rows are deleted or marked{_REREAD_NOTE if table in ('files', 'image_embeddings') else ''}",
        )
    unknown = inspection.count_unknown_files()
    if unknown:
        found.add(
            "error",
            "rows",
            f"{count(unknown, 'file has', 'files have')} neither a content nor a skip reason",
            _FIX + f"such files are marked{_REREAD_NOTE}",
        )
    texts = inspection.count_broken_texts()
    if texts:
        found.add(
            "error",
            "rows",
            f"{count(texts, 'text')} can't be read",
            _FIX + "broken captions are deleted, others emptied",
        )
    for kind, noun in _NOUNS.items():
        checked = inspection.check_embeddings(kind, sample=sample)
        found.stored_embeddings += checked.stored
        found.checked_embeddings += checked.checked
        found.broken[kind] = checked.broken
        if checked.broken:
            at_least = "" if checked.checked == checked.stored else "at least "
            broken = count(
                len(checked.broken),
                f"embedding of {noun} is not a unit-norm row",
                f"embeddings of {noun} are not unit-norm rows",
            )
            found.add(
                "error",
                "embeddings",
                f"{at_least}{broken} of the model's length",
                _FIX + _embedding_remedy(kind),
            )


def _check_index_files(
    directory: Path, reader: Reader, inspection: Inspection, found: Examination, *, sample: int | None
) -> None:
    # What is broken in SQL is broken in the index too: reported once.
    snapshots = check_snapshots(directory, reader, inspection, sample=sample)
    found.index_rows, found.compared_rows = snapshots.rows, snapshots.compared
    for fault in snapshots.faults:
        found.add("warning", "snapshots", fault, _FIX + "it is rebuilt, as the next search would do")
    for kind, noun in _NOUNS.items():
        changed = sorted(set(snapshots.changed[kind]) - set(found.broken[kind]))
        found.broken[kind] += changed
        if changed:
            found.add(
                "error",
                "embeddings",
                f"{count(len(changed), f'embedding of {noun} differs', f'embeddings of {noun} differ')} from the "
                "index, whose checksum is right",
                _FIX + _embedding_remedy(kind),
            )
    found.leftovers = find_leftovers(directory, reader)
    if found.leftovers:
        found.add(
            "warning",
            "leftovers",
            f"{count(len(found.leftovers), 'index file is', 'index files are')} left over, such as "
            f"{found.leftovers[0].name}",
            _FIX + "leftovers are deleted, as 'clipsearch gc' does",
        )


def _check_index_server(reader: Reader, inspection: Inspection, found: Examination, *, sample: int | None) -> None:
    on_server = check_server(reader, inspection, sample=sample)
    if on_server is None:
        return
    found.index_rows += on_server.rows
    found.compared_rows += on_server.compared
    if on_server.problem is not None:
        found.add("error", "server", on_server.problem, "the index was not checked")
    for fault in on_server.faults:
        found.add("error", "collection", fault, _FIX + "it is rebuilt, as 'clipsearch reindex' does")


def _check_surroundings(reader: Reader, inspection: Inspection, found: Examination) -> None:
    missing = inspection.count_pictures_without_embedding()
    if missing:
        found.add(
            "info",
            "embeddings",
            f"{count(missing, 'picture has', 'pictures have')} no embedding of the model in use and can't be found",
            "the next 'clipsearch index' embeds what is missing",
        )
    for folder in inspection.list_folders():
        if not is_folder_url(folder) and not os.path.isdir(folder):  # noqa: PTH112
            found.add(
                "info",
                "folders",
                f"the folder {folder} is missing",
                "its pictures stay in the catalog; see 'clipsearch index --prune'",
            )
    model = reader.find_current_model()
    if model is not None and not _is_here(model.name):
        found.add(
            "info",
            "model",
            f"the files of the model {model.name} are not on this machine",
            f"'clipsearch model pull {model.name}' fetches them",
        )


def _is_here(model_name: str) -> bool:
    if model_name == STARTER or os.path.isdir(expand_user(model_name)):  # noqa: PTH112
        return True
    from clipsearch.encoders.hub import hub

    try:
        return hub.find_cached(model_name) is not None
    except ClipSearchError:  # not a name of the hub: a missing folder
        return False


def _is_index_damage(line: str) -> bool:
    return line.startswith(_INDEX_ONLY) or (line.startswith("row ") and "missing from index" in line)


def _and_more(found: Sized) -> str:
    return f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""


def _embedding_remedy(kind: Kind) -> str:
    when = "the next 'clipsearch index'" if kind == "images" else "the next 'clipsearch caption'"
    return f"wrong embeddings are deleted; {when} computes them again"
