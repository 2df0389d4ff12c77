"""Albums, which are sets of contents, and searches saved under a name."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "albums",
        sa.Column("album_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("album_id", name=op.f("pk_albums")),
        sa.UniqueConstraint("name", name=op.f("uq_albums_name")),
    )
    op.create_table(
        "album_members",
        sa.Column("member_id", ROW_ID, nullable=False),
        sa.Column("album_id", ROW_ID, nullable=False),
        sa.Column("content_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(["album_id"], ["albums.album_id"], name=op.f("fk_album_members_album_id_albums")),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name=op.f("fk_album_members_content_id_contents")
        ),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_album_members")),
        sa.UniqueConstraint("album_id", "content_id", name=op.f("uq_album_members_album_id_content_id")),
    )
    # Deleting contents looks their memberships up.
    op.create_index(op.f("ix_album_members_content_id"), "album_members", ["content_id"])
    op.create_table(
        "saved_searches",
        sa.Column("saved_search_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("reported_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("saved_search_id", name=op.f("pk_saved_searches")),
        sa.UniqueConstraint("name", name=op.f("uq_saved_searches_name")),
    )


def downgrade() -> None:
    for table in ("saved_searches", "album_members", "albums"):
        op.drop_table(table)
