"""What is written about pictures: in their files, and in the sidecars beside them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ADDED = {"described": sa.String(), "borrowed": sa.Integer()}


def upgrade() -> None:
    # They may be NULL: added in place, without copying the table.
    for name, kind in ADDED.items():
        op.add_column("contents", sa.Column(name, kind, nullable=True))
    op.create_table(
        "sidecars",
        sa.Column("file_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("described", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.file_id"], name=op.f("fk_sidecars_file_id_files")),
        sa.PrimaryKeyConstraint("file_id", "kind", name=op.f("pk_sidecars")),
    )


def downgrade() -> None:
    op.drop_table("sidecars")
    for name in ADDED:
        # In place, as they were added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
        op.execute(f"ALTER TABLE contents DROP COLUMN {name}")
