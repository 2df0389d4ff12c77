"""How sharp and how bright a picture is, which filters compare; NULL until its file is read again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ADDED = ("sharpness", "brightness")


def upgrade() -> None:
    # They may be NULL: added in place, without copying a table.
    for name in ADDED:
        op.add_column("contents", sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in ADDED:
        # In place, as they were added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
        op.execute(f"ALTER TABLE contents DROP COLUMN {name}")
