"""What a picture with text is, such as a receipt, and which models read text."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # They may be NULL: added in place, without copying the tables.
    op.add_column("texts", sa.Column("kind", sa.String(16), nullable=True))
    op.add_column("catalog", sa.Column("text_models", sa.String(), nullable=True))


def downgrade() -> None:
    # In place, as they were added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
    op.execute("ALTER TABLE texts DROP COLUMN kind")
    op.execute("ALTER TABLE catalog DROP COLUMN text_models")
