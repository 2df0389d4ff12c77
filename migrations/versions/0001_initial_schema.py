"""The first schema: folders, files, contents, captions, and one embedding a model for each."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "captions",
        sa.Column("caption_id", ROW_ID, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("caption_id", name=op.f("pk_captions")),
        sa.UniqueConstraint("text", name=op.f("uq_captions_text")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "contents",
        sa.Column("content_id", ROW_ID, nullable=False),
        sa.Column("blake3", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=True),
        sa.Column("camera", sa.String(length=128), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_contents")),
        sa.UniqueConstraint("blake3", name=op.f("uq_contents_blake3")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "models",
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("image_generation", sa.Integer(), nullable=False),
        sa.Column("caption_generation", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_models")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_models_fingerprint")),
    )
    op.create_table(
        "roots",
        sa.Column("root_id", ROW_ID, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("root_id", name=op.f("pk_roots")),
        sa.UniqueConstraint("path", name=op.f("uq_roots_path")),
    )
    op.create_table(
        "caption_embeddings",
        sa.Column("embedding_id", ROW_ID, nullable=False),
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("caption_id", ROW_ID, nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["caption_id"], ["captions.caption_id"], name=op.f("fk_caption_embeddings_caption_id_captions")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_caption_embeddings_model_id_models")),
        sa.PrimaryKeyConstraint("embedding_id", name=op.f("pk_caption_embeddings")),
        sa.UniqueConstraint("model_id", "caption_id", name=op.f("uq_caption_embeddings_model_id_caption_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "catalog",
        sa.Column("catalog_id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("model_id", ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_catalog_model_id_models")),
        sa.PrimaryKeyConstraint("catalog_id", name=op.f("pk_catalog")),
    )
    op.create_table(
        "files",
        sa.Column("file_id", ROW_ID, nullable=False),
        sa.Column("root_id", ROW_ID, nullable=False),
        sa.Column("relative_path", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("content_id", ROW_ID, nullable=True),
        sa.Column("skip_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["content_id"], ["contents.content_id"], name=op.f("fk_files_content_id_contents")),
        sa.ForeignKeyConstraint(["root_id"], ["roots.root_id"], name=op.f("fk_files_root_id_roots")),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_files")),
        sa.UniqueConstraint("root_id", "relative_path", name=op.f("uq_files_root_id_relative_path")),
    )
    op.create_index("ix_files_content_id", "files", ["content_id"])

    op.create_table(
        "image_embeddings",
        sa.Column("embedding_id", ROW_ID, nullable=False),
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("content_id", ROW_ID, nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name=op.f("fk_image_embeddings_content_id_contents")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_image_embeddings_model_id_models")),
        sa.PrimaryKeyConstraint("embedding_id", name=op.f("pk_image_embeddings")),
        sa.UniqueConstraint("model_id", "content_id", name=op.f("uq_image_embeddings_model_id_content_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "runs",
        sa.Column("run_id", ROW_ID, nullable=False),
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("embedded", sa.Integer(), nullable=False),
        sa.Column("reused", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_runs_model_id_models")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )

    op.create_table(
        "snapshots",
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("blake3", sa.String(length=64), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("last_embedding_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_snapshots_model_id_models")),
        sa.PrimaryKeyConstraint("model_id", "kind", name=op.f("pk_snapshots")),
    )


def downgrade() -> None:
    for table in (
        "snapshots",
        "runs",
        "image_embeddings",
        "files",
        "catalog",
        "caption_embeddings",
        "roots",
        "models",
        "contents",
        "captions",
    ):
        op.drop_table(table)
