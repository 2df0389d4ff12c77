"""Define the tables, which `migrations/` creates; a test checks that both agree.

    roots ──< files >── contents ──< parts ──< image_embeddings >── models
                └──< sidecars           captions ──< caption_embeddings >──┘
    concepts ──< concept_examples >── contents ──< texts
    albums ──< album_members >────────────┘            saved_searches

A file points at its content, and a content has one embedding a model and part: a copy, a rename or a move costs no
second embedding. Most contents are pictures of one part, and have no row in `parts`: the id of that part is their own.
Missing files are only marked as removed, and contents stay when their last file is removed, so that a drive that is
mounted again costs nothing either; `garbage` deletes both.
"""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import BigInteger

from clipsearch.text import stored_fold

# Named constraints, so that Alembic can find and change them on SQLite.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite issues ever-growing row ids only for a column declared INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


class PathBytes(TypeDecorator[str]):
    """Path as the bytes of the file system, so that names that are not UTF-8 survive."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        # The file is untrusted and may hold anything.
        return os.fsdecode(value) if isinstance(value, bytes | str) else None


class Text(TypeDecorator[str]):
    """Text column that rejects values of any other type, which an untrusted file may hold."""

    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        if value is not None and not isinstance(value, str):
            raise TypeError("not text")
        return value


def _folded(name: str) -> Callable[[Any], str | None]:
    """Return the default of a column that holds the folded value of another, see `folded_names`.

    It applies only on insert; updates have to set both columns.
    """

    def default(context: Any) -> str | None:
        value = context.get_current_parameters()[name]
        return None if value is None else stored_fold(value)

    return default


# One row. `uuid` identifies this catalog in files derived from it; `ann` is how its index files are built ("off", or by
# the number of cells; NULL: by their size), `index_url` the server that holds its index instead of files. `last_change`
# numbers the transactions that change what filters see (NULL: none yet), see `changes`; columns of a change before
# `stale_before` are rebuilt. `stacked_change`: stacks were found for all changes up to this one (NULL: for none).
# `text_models`: name of the models of a folder that read text (NULL: those of the package), see `ocr.models`.
catalog = Table(
    "catalog",
    metadata,
    Column("catalog_id", Integer, primary_key=True),
    Column("uuid", String(36), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("model_id", ForeignKey("models.model_id"), nullable=True),
    Column("ann", String, nullable=True),
    Column("index_url", String, nullable=True),
    Column("last_change", BigInteger, nullable=True),
    Column("stale_before", BigInteger, nullable=True),
    Column("stacked_change", BigInteger, nullable=True),
    Column("text_models", String, nullable=True),
)

# A generation grows when embeddings of that kind are deleted or replaced, which makes older snapshots stale; additions
# are detected by their growing ids.
models = Table(
    "models",
    metadata,
    Column("model_id", RowId, primary_key=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("name", PathBytes, nullable=False),
    Column("dim", Integer, nullable=False),
    Column("image_generation", Integer, nullable=False),
    Column("caption_generation", Integer, nullable=False),
    Column("added_at", DateTime, nullable=False),
)

# `volume` is that of the folder when all its files were last seen, see `images.volume`; `removed_at` is set when the
# user has removed the folder. `exclude`: patterns of what is left out of it, one a line.
roots = Table(
    "roots",
    metadata,
    Column("root_id", RowId, primary_key=True),
    Column("path", PathBytes, nullable=False, unique=True),
    Column("added_at", DateTime, nullable=False),
    Column("removed_at", DateTime, nullable=True),
    Column("volume", String, nullable=True),
    Column("exclude", String, nullable=True),
    Column("folded_path", String, nullable=True, default=_folded("path")),
)

# Width and height of the upright picture. taken_at is the camera's local time, as in EXIF; `is_date_doubtful`: it looks
# like that of a clock that was never set. `phash`: 64-bit perceptual hash as a signed number; NULL: not computed yet,
# like `sharpness` and `brightness`, see `images.measures`. `changed`: the last change of the content or of its files;
# NULL: before changes were numbered. `described`: what its file says, as `description.pack` does; NULL: not read yet.
# `borrowed`: which values are those of a sidecar, as the file has none, see `store.sidecars`; NULL: none.
contents = Table(
    "contents",
    metadata,
    Column("content_id", RowId, primary_key=True),
    Column("blake3", LargeBinary(32), nullable=False, unique=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("taken_at", DateTime, nullable=True),
    Column("camera", String(128), nullable=True),
    Column("latitude", Float, nullable=True),
    Column("longitude", Float, nullable=True),
    Column("added_at", DateTime, nullable=False),
    Column("phash", BigInteger, nullable=True),
    Column("is_date_doubtful", Boolean, nullable=True),
    Column("folded_camera", String, nullable=True, default=_folded("camera")),
    Column("sharpness", Integer, nullable=True),
    Column("brightness", Integer, nullable=True),
    Column("changed", BigInteger, nullable=True),
    Column("duration_s", Float, nullable=True),
    Column("described", String, nullable=True),
    Column("borrowed", Integer, nullable=True),
    sqlite_autoincrement=True,
)
Index("ix_contents_changed", contents.c.changed)
Index("ix_contents_taken_at", contents.c.taken_at)

# A file has a content or a skip reason, with the limit of that run it exceeded. It is stale when size or mtime change,
# or ctime or inode (signed) where the file system's are reliable. `removed_at`: when it was found missing.
files = Table(
    "files",
    metadata,
    Column("file_id", RowId, primary_key=True),
    Column("root_id", ForeignKey("roots.root_id"), nullable=False),
    Column("relative_path", PathBytes, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content_id", ForeignKey("contents.content_id"), nullable=True),
    Column("skip_reason", String, nullable=True),
    Column("removed_at", DateTime, nullable=True),
    Column("ctime_ns", BigInteger, nullable=True),
    Column("inode", BigInteger, nullable=True),
    Column("limit_kind", String(16), nullable=True),
    Column("limit_value", Float, nullable=True),
    Column("folded_path", String, nullable=True, default=_folded("relative_path")),
    UniqueConstraint("root_id", "relative_path"),
)
Index("ix_files_content_id", files.c.content_id)

# What lies beside a file and describes it: `kind` is "xmp" or "takeout", `name` that of the sidecar in the same folder.
# `described`: as in `contents`, "" also of one that can't be read.
sidecars = Table(
    "sidecars",
    metadata,
    Column("file_id", ForeignKey("files.file_id"), primary_key=True, autoincrement=False),
    Column("kind", String(16), primary_key=True),
    Column("name", PathBytes, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("described", Text, nullable=False),
)

# Contents of several parts, see `store.part_rows`. The first, the cover, has the id of the content, the others
# consecutive ids from `first_part_id`, which are no content's: both come from one sequence. `described`: all parts, the
# cover first, as JSON (`pack_parts`).
parts = Table(
    "parts",
    metadata,
    Column("content_id", ForeignKey("contents.content_id"), primary_key=True, autoincrement=False),
    Column("first_part_id", BigInteger, nullable=False, unique=True),
    Column("part_count", Integer, nullable=False),
    Column("described", Text, nullable=False),
)

# Contents that are one item to a person, see `stack_rows`; those that are an item of their own have no row. `stack_id`
# is the content id of the best member.
stack_members = Table(
    "stack_members",
    metadata,
    Column("content_id", ForeignKey("contents.content_id"), primary_key=True, autoincrement=False),
    Column("stack_id", BigInteger, nullable=False),
)
Index("ix_stack_members_stack_id", stack_members.c.stack_id)

# Text that was read in a content, see `store.texts`; contents in which none was looked for have no row. `reader`: name
# of the models, "" to have it read again. `lines`: `ocr.lines.pack_lines`, "" where there is none. `kind`: one of
# `formats.TEXT_KINDS`; NULL: none of them.
texts = Table(
    "texts",
    metadata,
    Column("content_id", ForeignKey("contents.content_id"), primary_key=True, autoincrement=False),
    Column("reader", String, nullable=False),
    Column("lines", String, nullable=False),
    Column("kind", String(16), nullable=True),
)

# `part_id` is the id of a content, or of another part of one: no foreign key can say that.
image_embeddings = Table(
    "image_embeddings",
    metadata,
    Column("embedding_id", RowId, primary_key=True),
    Column("model_id", ForeignKey("models.model_id"), nullable=False),
    Column("part_id", RowId, nullable=False),
    Column("embedding", LargeBinary, nullable=False),
    UniqueConstraint("model_id", "part_id"),
    sqlite_autoincrement=True,
)

captions = Table(
    "captions",
    metadata,
    Column("caption_id", RowId, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
    Column("added_at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

caption_embeddings = Table(
    "caption_embeddings",
    metadata,
    Column("embedding_id", RowId, primary_key=True),
    Column("model_id", ForeignKey("models.model_id"), nullable=False),
    Column("caption_id", ForeignKey("captions.caption_id"), nullable=False),
    Column("embedding", LargeBinary, nullable=False),
    UniqueConstraint("model_id", "caption_id"),
    sqlite_autoincrement=True,
)

# Labels, one a line, in the user's order.
label_sets = Table(
    "label_sets",
    metadata,
    Column("label_set_id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("labels", Text, nullable=False),
    Column("added_at", DateTime, nullable=False),
)

# A concept taught by examples: `words` describe it (NULL: its examples alone do); each content is an example or none.
concepts = Table(
    "concepts",
    metadata,
    Column("concept_id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("words", Text, nullable=True),
    Column("created_at", DateTime, nullable=False),
)

concept_examples = Table(
    "concept_examples",
    metadata,
    Column("example_id", RowId, primary_key=True),
    Column("concept_id", ForeignKey("concepts.concept_id"), nullable=False),
    Column("content_id", ForeignKey("contents.content_id"), nullable=False),
    Column("is_positive", Boolean, nullable=False),
    UniqueConstraint("concept_id", "content_id"),
)
Index("ix_concept_examples_content_id", concept_examples.c.content_id)

# Sets of contents that a user has put together, in the order they were added. What has the name is `gallery.albums`'.
albums = Table(
    "albums",
    metadata,
    Column("album_id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", DateTime, nullable=False),
)

album_members = Table(
    "album_members",
    metadata,
    Column("member_id", RowId, primary_key=True),
    Column("album_id", ForeignKey("albums.album_id"), nullable=False),
    Column("content_id", ForeignKey("contents.content_id"), nullable=False),
    UniqueConstraint("album_id", "content_id"),
)
Index("ix_album_members_content_id", album_members.c.content_id)

# Queries under a name that no concept has, as their users wrote them. `reported_id`: contents up to this id were
# reported as matches, or are none, see `search.saved`; NULL: it was never asked for.
saved_searches = Table(
    "saved_searches",
    metadata,
    Column("saved_search_id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("query", Text, nullable=False),
    Column("reported_id", BigInteger, nullable=True),
    Column("created_at", DateTime, nullable=False),
)

# Only the file recorded here is used: a restored database does not know files written after its backup. `ann`:
# parameters and recall of an approximate index (JSON). `machine`: which one has the file; "" unless on a server.
snapshots = Table(
    "snapshots",
    metadata,
    Column("model_id", ForeignKey("models.model_id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("machine", String(36), primary_key=True),
    Column("blake3", String(64), nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("last_embedding_id", BigInteger, nullable=False),
    Column("ann", String, nullable=True),
)

# Files of columns, by machine as in `snapshots`; `last_change`: the newest change in it.
column_files = Table(
    "column_files",
    metadata,
    Column("machine", String(36), primary_key=True),
    Column("blake3", String(64), nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("last_change", BigInteger, nullable=False),
)

# `updated_at` and `to_do`, the number of files left, are the progress of a run that is going on.
runs = Table(
    "runs",
    metadata,
    Column("run_id", RowId, primary_key=True),
    Column("model_id", ForeignKey("models.model_id"), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("found", Integer, nullable=False),
    Column("embedded", Integer, nullable=False),
    Column("reused", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("to_do", Integer, nullable=True),
    Column("updated_at", DateTime, nullable=True),
    # JSON: suffix → number of files of kinds that are not read.
    Column("unsupported", String, nullable=True),
)
