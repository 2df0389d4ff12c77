"""Stacks of contents that are one item to a person, and how far the contents were looked at for them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "stack_members",
        sa.Column("content_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("stack_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name=op.f("fk_stack_members_content_id_contents")
        ),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_stack_members")),
    )
    op.create_index("ix_stack_members_stack_id", "stack_members", ["stack_id"])
    op.create_index("ix_contents_taken_at", "contents", ["taken_at"])
    # It may be NULL: added in place, without copying the table.
    op.add_column("catalog", sa.Column("stacked_change", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    # In place, as it was added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
    op.execute("ALTER TABLE catalog DROP COLUMN stacked_change")
    op.drop_index("ix_contents_taken_at", "contents")
    op.drop_index("ix_stack_members_stack_id", "stack_members")
    op.drop_table("stack_members")
