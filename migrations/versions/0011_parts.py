"""Parts of contents: scenes, pages and crops, each with an embedding; an embedding belongs to a part."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

COLUMNS = "embedding_id, model_id, {}, embedding"


def upgrade() -> None:
    op.create_table(
        "parts",
        sa.Column("content_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("first_part_id", sa.BigInteger(), nullable=False),
        sa.Column("part_count", sa.Integer(), nullable=False),
        sa.Column("described", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.content_id"], name=op.f("fk_parts_content_id_contents")),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_parts")),
        sa.UniqueConstraint("first_part_id", name=op.f("uq_parts_first_part_id")),
    )
    op.add_column("contents", sa.Column("duration_s", sa.Float(), nullable=True))
    _rebuild("content_id", "part_id")
    op.execute("DELETE FROM column_files")  # they have no column of parts


def downgrade() -> None:
    # Only covers are embeddings of contents.
    op.execute("DELETE FROM image_embeddings WHERE part_id NOT IN (SELECT content_id FROM contents)")
    op.execute("UPDATE models SET image_generation = image_generation + 1 WHERE EXISTS (SELECT 1 FROM parts)")
    _rebuild("part_id", "content_id")
    op.drop_table("parts")
    # In place, as it was added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
    op.execute("ALTER TABLE contents DROP COLUMN duration_s")
    op.execute("DELETE FROM column_files")


def _rebuild(old: str, new: str) -> None:
    """Rename the column, and drop or restore its foreign key: SQLite needs another table for that."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(f"uq_image_embeddings_model_id_{old}"), "image_embeddings")
        if old == "content_id":
            op.drop_constraint(op.f("fk_image_embeddings_content_id_contents"), "image_embeddings")
        op.alter_column("image_embeddings", old, new_column_name=new)
        op.create_unique_constraint(op.f(f"uq_image_embeddings_model_id_{new}"), "image_embeddings", ["model_id", new])
        if new == "content_id":
            op.create_foreign_key(
                op.f("fk_image_embeddings_content_id_contents"),
                "image_embeddings",
                "contents",
                ["content_id"],
                ["content_id"],
            )
        return
    # Ids that were issued before are not issued again.
    last = op.get_bind().execute(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'image_embeddings'")).scalar()
    op.execute("ALTER TABLE image_embeddings RENAME TO old_image_embeddings")
    to_contents = [
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name=op.f("fk_image_embeddings_content_id_contents")
        )
    ]
    op.create_table(
        "image_embeddings",
        sa.Column("embedding_id", sa.Integer(), nullable=False),
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column(new, ROW_ID, nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        *(to_contents if new == "content_id" else ()),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_image_embeddings_model_id_models")),
        sa.PrimaryKeyConstraint("embedding_id", name=op.f("pk_image_embeddings")),
        sa.UniqueConstraint("model_id", new, name=op.f(f"uq_image_embeddings_model_id_{new}")),
        sqlite_autoincrement=True,
    )
    op.execute(
        f"INSERT INTO image_embeddings ({COLUMNS.format(new)}) "  # noqa: S608
        f"SELECT {COLUMNS.format(old)} FROM old_image_embeddings ORDER BY embedding_id"
    )
    op.execute("DROP TABLE old_image_embeddings")
    if last is not None:
        op.get_bind().execute(
            sa.text("UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = 'image_embeddings'"), {"last": last}
        )
