"""Number the changes of contents, so that columns in memory are brought up to date by a seek of an index."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ADDED = (("contents", "changed"), ("catalog", "last_change"), ("catalog", "stale_before"))


def upgrade() -> None:
    # They may be NULL: added in place, without copying a table.
    for table, name in ADDED:
        op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_contents_changed"), "contents", ["changed"])
    op.create_table(
        "column_files",
        sa.Column("machine", sa.String(36), nullable=False),
        sa.Column("blake3", sa.String(64), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("last_change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("machine", name=op.f("pk_column_files")),
    )


def downgrade() -> None:
    op.drop_table("column_files")
    op.drop_index(op.f("ix_contents_changed"), "contents")
    for table, name in ADDED:
        # In place, as they were added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
