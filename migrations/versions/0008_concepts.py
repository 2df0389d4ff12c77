"""Concepts taught by examples: names, and the pictures that are and are not examples of them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "concepts",
        sa.Column("concept_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("concept_id", name=op.f("pk_concepts")),
        sa.UniqueConstraint("name", name=op.f("uq_concepts_name")),
    )
    op.create_table(
        "concept_examples",
        sa.Column("example_id", ROW_ID, nullable=False),
        sa.Column("concept_id", ROW_ID, nullable=False),
        sa.Column("content_id", ROW_ID, nullable=False),
        sa.Column("is_positive", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["concept_id"], ["concepts.concept_id"], name=op.f("fk_concept_examples_concept_id_concepts")
        ),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.content_id"], name=op.f("fk_concept_examples_content_id_contents")
        ),
        sa.PrimaryKeyConstraint("example_id", name=op.f("pk_concept_examples")),
        sa.UniqueConstraint("concept_id", "content_id", name=op.f("uq_concept_examples_concept_id_content_id")),
    )
    # Deleting contents looks their examples up.
    op.create_index(op.f("ix_concept_examples_content_id"), "concept_examples", ["content_id"])


def downgrade() -> None:
    op.drop_table("concept_examples")
    op.drop_table("concepts")
