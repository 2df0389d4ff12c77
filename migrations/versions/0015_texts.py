"""Text that was read in pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "texts",
        sa.Column("content_id", ROW_ID, nullable=False, autoincrement=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("lines", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.content_id"], name=op.f("fk_texts_content_id_contents")),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_texts")),
    )


def downgrade() -> None:
    op.drop_table("texts")
