"""Check the schema of an untrusted SQLite file.

A database can run code by itself: triggers, views, generated columns, defaults, checks, virtual tables and indexes on
expressions run when it is read or written. A catalog has nothing of that kind, so a file whose schema is more than
plain columns and constraints is foreign, and nothing is run on it. Only the text of the schema is read, which runs
nothing.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence

from clipsearch.errors import ForeignSchemaError, StoreError

KNOWN_REVISION = "0017"
"""Revision that `_KNOWN_TABLES` describes; a test compares it with what the migrations create."""

_KNOWN_INDEXES = {
    "ix_album_members_content_id": "create index ix_album_members_content_id on album_members(content_id)",
    "ix_contents_changed": "create index ix_contents_changed on contents(changed)",
    "ix_contents_taken_at": "create index ix_contents_taken_at on contents(taken_at)",
    "ix_concept_examples_content_id": "create index ix_concept_examples_content_id on concept_examples(content_id)",
    "ix_files_content_id": "create index ix_files_content_id on files(content_id)",
    "ix_stack_members_stack_id": "create index ix_stack_members_stack_id on stack_members(stack_id)",
}
_KNOWN_TABLES = {
    "album_members": """member_id integer not null, album_id integer not null, content_id integer not null,
        constraint pk_album_members primary key(member_id),
        constraint fk_album_members_album_id_albums foreign key(album_id) references albums(album_id),
        constraint fk_album_members_content_id_contents foreign key(content_id) references contents(content_id),
        constraint uq_album_members_album_id_content_id unique(album_id, content_id)""",
    "albums": """album_id integer not null, name varchar not null, created_at datetime not null,
        constraint pk_albums primary key(album_id), constraint uq_albums_name unique(name)""",
    "alembic_version": "version_num varchar(32) not null, constraint alembic_version_pkc primary key(version_num)",
    "caption_embeddings": """embedding_id integer not null primary key autoincrement, model_id integer not null,
        caption_id integer not null, embedding blob not null,
        constraint fk_caption_embeddings_caption_id_captions foreign key(caption_id) references captions(caption_id),
        constraint fk_caption_embeddings_model_id_models foreign key(model_id) references models(model_id),
        constraint uq_caption_embeddings_model_id_caption_id unique(model_id, caption_id)""",
    "captions": """caption_id integer not null primary key autoincrement, text varchar not null,
        added_at datetime not null, constraint uq_captions_text unique(text)""",
    "catalog": """catalog_id integer not null, uuid varchar(36) not null, created_at datetime not null,
        model_id integer, ann varchar, index_url varchar, last_change bigint, stale_before bigint,
        stacked_change bigint, text_models varchar,
        constraint pk_catalog primary key(catalog_id),
        constraint fk_catalog_model_id_models foreign key(model_id) references models(model_id)""",
    "column_files": """machine varchar(36) not null, blake3 varchar(64) not null, row_count integer not null,
        last_change bigint not null, constraint pk_column_files primary key(machine)""",
    "concept_examples": """example_id integer not null, concept_id integer not null, content_id integer not null,
        is_positive boolean not null, constraint pk_concept_examples primary key(example_id),
        constraint fk_concept_examples_concept_id_concepts foreign key(concept_id) references concepts(concept_id),
        constraint fk_concept_examples_content_id_contents foreign key(content_id) references contents(content_id),
        constraint uq_concept_examples_concept_id_content_id unique(concept_id, content_id)""",
    "concepts": """concept_id integer not null, name varchar not null, words varchar, created_at datetime not null,
        constraint pk_concepts primary key(concept_id), constraint uq_concepts_name unique(name)""",
    "contents": """content_id integer not null primary key autoincrement, blake3 blob not null,
        size_bytes bigint not null, width integer not null, height integer not null, format varchar(16) not null,
        taken_at datetime, camera varchar(128), latitude float, longitude float, added_at datetime not null,
        phash bigint, is_date_doubtful boolean, folded_camera varchar, sharpness integer, brightness integer,
        changed bigint, duration_s float, described varchar, borrowed integer,
        constraint uq_contents_blake3 unique(blake3)""",
    "files": """file_id integer not null, root_id integer not null, relative_path blob not null,
        size_bytes bigint not null, mtime_ns bigint not null, content_id integer, skip_reason varchar,
        removed_at datetime, ctime_ns bigint, inode bigint, limit_kind varchar(16), limit_value float,
        folded_path varchar,
        constraint pk_files primary key(file_id),
        constraint fk_files_content_id_contents foreign key(content_id) references contents(content_id),
        constraint fk_files_root_id_roots foreign key(root_id) references roots(root_id),
        constraint uq_files_root_id_relative_path unique(root_id, relative_path)""",
    "image_embeddings": """embedding_id integer not null primary key autoincrement, model_id integer not null,
        part_id integer not null, embedding blob not null,
        constraint fk_image_embeddings_model_id_models foreign key(model_id) references models(model_id),
        constraint uq_image_embeddings_model_id_part_id unique(model_id, part_id)""",
    "label_sets": """label_set_id integer not null, name varchar not null, labels varchar not null,
        added_at datetime not null, constraint pk_label_sets primary key(label_set_id),
        constraint uq_label_sets_name unique(name)""",
    "models": """model_id integer not null, fingerprint varchar(64) not null, name blob not null, dim integer not null,
        image_generation integer not null, caption_generation integer not null, added_at datetime not null,
        constraint pk_models primary key(model_id), constraint uq_models_fingerprint unique(fingerprint)""",
    "parts": """content_id integer not null, first_part_id bigint not null, part_count integer not null,
        described varchar not null, constraint pk_parts primary key(content_id),
        constraint fk_parts_content_id_contents foreign key(content_id) references contents(content_id),
        constraint uq_parts_first_part_id unique(first_part_id)""",
    "roots": """root_id integer not null, path blob not null, added_at datetime not null, removed_at datetime,
        volume varchar, exclude varchar, folded_path varchar, constraint pk_roots primary key(root_id),
        constraint uq_roots_path unique(path)""",
    "runs": """run_id integer not null, model_id integer not null, started_at datetime not null,
        seconds float not null, found integer not null, embedded integer not null, reused integer not null,
        unchanged integer not null, removed integer not null, skipped integer not null, finished boolean not null,
        to_do integer, updated_at datetime, unsupported varchar, constraint pk_runs primary key(run_id),
        constraint fk_runs_model_id_models foreign key(model_id) references models(model_id)""",
    "sidecars": """file_id integer not null, kind varchar(16) not null, name blob not null, size_bytes bigint not null,
        mtime_ns bigint not null, described varchar not null, constraint pk_sidecars primary key(file_id, kind),
        constraint fk_sidecars_file_id_files foreign key(file_id) references files(file_id)""",
    "saved_searches": """saved_search_id integer not null, name varchar not null, query varchar not null,
        reported_id bigint, created_at datetime not null,
        constraint pk_saved_searches primary key(saved_search_id), constraint uq_saved_searches_name unique(name)""",
    "snapshots": """model_id integer not null, kind varchar(16) not null, machine varchar(36) not null,
        blake3 varchar(64) not null, row_count integer not null, generation integer not null,
        last_embedding_id bigint not null, ann varchar, constraint pk_snapshots primary key(model_id, kind, machine),
        constraint fk_snapshots_model_id_models foreign key(model_id) references models(model_id)""",
    "stack_members": """content_id integer not null, stack_id bigint not null,
        constraint pk_stack_members primary key(content_id),
        constraint fk_stack_members_content_id_contents foreign key(content_id) references contents(content_id)""",
    "texts": """content_id integer not null, reader varchar not null, lines varchar not null,
        kind varchar(16),
        constraint pk_texts primary key(content_id),
        constraint fk_texts_content_id_contents foreign key(content_id) references contents(content_id)""",
}

# Tables of SQLite's own: row ids that were issued, and what ANALYZE has counted.
_OF_SQLITE = {
    "sqlite_sequence": "create table sqlite_sequence(name,seq)",
    "sqlite_stat1": "create table sqlite_stat1(tbl,idx,stat)",
    "sqlite_stat4": "create table sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}

# More objects, and more text, than any catalog has.
_MAX_OBJECTS = 200
_MAX_TEXT = 20_000

_NAME = "[a-z_][a-z0-9_]*"
_NAMES = rf"\({_NAME}(,{_NAME})*\)"
_TYPE = r"(integer|bigint|boolean|float|blob|datetime|varchar(\(\d{1,4}\))?)"
_PLAIN = re.compile(
    rf"(?!constraint ){_NAME} {_TYPE}( not null)?( primary key autoincrement)?"
    rf"|constraint {_NAME} (primary key|unique){_NAMES}"
    rf"|constraint {_NAME} foreign key{_NAMES} references {_NAME}{_NAMES}",
    re.ASCII,
)
_PLAIN_INDEX = re.compile(rf"create (unique )?index {_NAME} on {_NAME}{_NAMES}", re.ASCII)
_AUTO_INDEX = re.compile(rf"sqlite_autoindex_{_NAME}_\d{{1,3}}", re.ASCII)
_QUOTED = re.compile(rf'"({_NAME})"|`({_NAME})`|\[({_NAME})\]', re.ASCII)

_Object = Sequence[object]

OBJECTS = f"SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT {_MAX_OBJECTS + 1}"  # noqa: S608
"""Query for the argument of `check_objects`."""


def read_revision(connection: sqlite3.Connection) -> str | None:
    """Return the revision that a database declares, after checking its whole schema; None for an empty one.

    A revision that no migration creates is not checked any further.

    Raises:
        ForeignSchemaError: it contains something that no migration creates.
        StoreError: it is not a catalog.
        sqlite3.Error: it can't be read.
    """
    objects = connection.execute(OBJECTS).fetchall()
    if not objects:
        return None
    versions = [found for found in objects if found[1] == "alembic_version"]
    if not any(found[0] == "table" for found in versions):
        raise StoreError("it is an SQLite file but not a clipsearch catalog")
    for found in versions:
        _require(found, _is_plain(found))
    rows = connection.execute("SELECT version_num FROM alembic_version LIMIT 2").fetchall()
    if not rows:
        return None
    revision = rows[0][0]
    if len(rows) > 1 or not isinstance(revision, str) or not re.fullmatch(r"\w{1,32}", revision, re.ASCII):
        raise ForeignSchemaError("an invalid version")
    if revision <= KNOWN_REVISION:
        check_objects(objects, is_newest=revision == KNOWN_REVISION)
    return revision


def check_objects(objects: Sequence[_Object], *, is_newest: bool) -> None:
    """Check that all objects of a schema are plain tables and indexes of a catalog.

    Args:
        objects: (type, name, table, SQL) as `sqlite_master` has them.
        is_newest: require exactly the objects of `KNOWN_REVISION`, not only plain ones.

    Raises:
        ForeignSchemaError: one can run code, or is not part of a catalog.
    """
    if len(objects) > _MAX_OBJECTS:
        raise ForeignSchemaError(f"more than {_MAX_OBJECTS} tables and indexes")
    for found in objects:
        _require(found, _is_plain(found) and not (is_newest and not _is_known(found)))
    names = {found[1] for found in objects}
    if len(names) < len(objects):
        raise ForeignSchemaError("two tables or indexes of one name")
    if is_newest and (missing := sorted({*_KNOWN_TABLES, *_KNOWN_INDEXES} - names)):
        raise ForeignSchemaError(f"no {missing[0]}, which every catalog has")


def find_active(objects: Sequence[_Object]) -> Iterator[tuple[str, str]]:
    """Yield (type, name) of objects that can run code: triggers, views, virtual tables."""
    for kind, name, _, sql in objects:
        is_virtual = kind == "table" and name not in _KNOWN_TABLES and not _normalised(sql).startswith("create table ")
        if kind not in ("table", "index") or is_virtual:
            yield str(kind), str(name)


def find_altered(objects: Sequence[_Object]) -> Iterator[tuple[str, str]]:
    """Yield (name, correct SQL) of a catalog's tables whose SQL differs.

    Rows of older schemas are readable with it too: columns that were added later come last, and are NULL there.
    """
    for found in objects:
        name = str(found[1])
        if found[0] == "table" and name in _KNOWN_TABLES and not (_is_plain(found) and _is_known(found)):
            yield name, f"CREATE TABLE {name} ({_compact(_KNOWN_TABLES[name])})"


def _require(found: _Object, is_valid: bool) -> None:
    if not is_valid:
        kind, name = (str(value)[:60] for value in found[:2])
        raise ForeignSchemaError(f"a {kind} {name!r} that is not part of clipsearch's schema")


def _is_plain(found: _Object) -> bool:
    """Return whether an object holds data and nothing else."""
    kind, name, table, sql = found
    if not isinstance(name, str) or not isinstance(table, str):
        return False
    if name in _OF_SQLITE:
        return kind == "table" and _normalised(sql) == _OF_SQLITE[name]
    if kind == "index" and sql is None:
        return _AUTO_INDEX.fullmatch(name) is not None and name.startswith(f"sqlite_autoindex_{table}_")
    text = _normalised(sql)
    if kind == "index":
        return _PLAIN_INDEX.fullmatch(text) is not None and f" {name} on {table}(" in text
    if kind != "table" or name != table:
        return False
    parts = _parts(name, text)
    return bool(parts) and all(_PLAIN.fullmatch(part) for part in parts)


def _is_known(found: _Object) -> bool:
    """Return whether a plain object is exactly as in a catalog with the newest schema."""
    kind, name, table, sql = found
    if name in _OF_SQLITE:
        return True
    if kind == "index":
        return table in _KNOWN_TABLES if sql is None else _normalised(sql) == _KNOWN_INDEXES.get(str(name))
    known = _KNOWN_TABLES.get(str(name))
    return known is not None and sorted(_parts(str(name), _normalised(sql))) == sorted(_split(_compact(known)))


def _normalised(sql: object) -> str:
    """Return SQL in lower case, without needless quotes and whitespace; "" for anything but text."""
    if not isinstance(sql, str) or len(sql) > _MAX_TEXT:
        return ""
    return _compact(_QUOTED.sub(lambda match: match[1] or match[2] or match[3], sql.lower()))


def _compact(text: str) -> str:
    return re.sub(r" ?([(,]) ?| (?=\))", lambda match: match[1] or "", re.sub(r"\s+", " ", text)).strip()


def _parts(name: str, text: str) -> list[str]:
    """Split a plain CREATE TABLE into columns and constraints; empty for other statements."""
    start = f"create table {name}("
    return _split(text[len(start) : -1]) if text.startswith(start) and text.endswith(")") else []


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    return re.split(r",(?![^(]*\))", text)
