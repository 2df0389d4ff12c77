"""What a file's identity is, which limit a skipped one hit, what a folder leaves out; a picture's perceptual hash, and
whether its date is to be believed; how far a run is."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ADDED = {
    "files": (
        ("ctime_ns", sa.BigInteger()),
        ("inode", sa.BigInteger()),
        ("limit_kind", sa.String(length=16)),
        ("limit_value", sa.Float()),
    ),
    "contents": (("phash", sa.BigInteger()), ("is_date_doubtful", sa.Boolean())),
    "roots": (("exclude", sa.String()),),
    "runs": (("to_do", sa.Integer()), ("updated_at", sa.DateTime())),
}


def upgrade() -> None:
    # All may be NULL: added in place, without copying a table.
    for table, columns in ADDED.items():
        for name, type_ in columns:
            op.add_column(table, sa.Column(name, type_, nullable=True))


def downgrade() -> None:
    for table, columns in ADDED.items():
        with op.batch_alter_table(table) as batch:
            for name, _ in columns:
                batch.drop_column(name)
