"""Files that are gone are marked and kept, and a folder knows the volume it lies on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("files", sa.Column("removed_at", sa.DateTime(), nullable=True))
    op.add_column("roots", sa.Column("removed_at", sa.DateTime(), nullable=True))
    op.add_column("roots", sa.Column("volume", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("roots", "volume")
    op.drop_column("roots", "removed_at")
    # Only the newest schema knows which files are gone.
    op.execute("DELETE FROM files WHERE removed_at IS NOT NULL")
    op.drop_column("files", "removed_at")
