"""How the index of a catalog is built, and where it lies when it is no file; what an index file that does not compare
with all rows was measured to find."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("catalog") as batch:
        batch.add_column(sa.Column("ann", sa.String(), nullable=True))
        batch.add_column(sa.Column("index_url", sa.String(), nullable=True))
    with op.batch_alter_table("snapshots") as batch:
        batch.add_column(sa.Column("ann", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("snapshots") as batch:
        batch.drop_column("ann")
    with op.batch_alter_table("catalog") as batch:
        batch.drop_column("index_url")
        batch.drop_column("ann")
