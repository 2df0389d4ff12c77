"""Keep what an index run passed over, so that `status` can say which extra would read it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # It may be NULL: added in place, without copying the table.
    op.add_column("runs", sa.Column("unsupported", sa.String(), nullable=True))


def downgrade() -> None:
    # In place, as it was added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
    op.execute("ALTER TABLE runs DROP COLUMN unsupported")
