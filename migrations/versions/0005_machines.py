"""Each machine has its own index files of a catalog on a server; what a server needs to compare names and places."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = "model_id, kind, blake3, row_count, generation, last_embedding_id, ann"

# How small letters are made of all scripts, the best first; which there are depends on the server's version and build.
COLLATIONS = ("pg_unicode_fast", "und-x-icu", "pg_c_utf8")

# Names that are no text stay what they are: bytes, written so that LIKE can compare them.
FOLDED = r"""
CREATE FUNCTION clipsearch_folded(name bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN normalize(lower(normalize(convert_from(name, 'UTF8'), NFC){collate}), NFC);
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN lower(replace(regexp_replace(encode(name, 'escape'), '\\([0-9][0-9][0-9])', '÷\1', 'g'), '\\', '\'));
END $$
"""

# The haversine formula, on a sphere of the mean radius. Source: International Union of Geodesy and Geophysics, R1.
DISTANCE = """
CREATE FUNCTION clipsearch_distance_km(
    latitude double precision, longitude double precision, latitude2 double precision, longitude2 double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 2 * 6371.0088 * asin(least(1, sqrt(
        power(sin(radians(latitude2 - latitude) / 2), 2)
        + cos(radians(latitude)) * cos(radians(latitude2)) * power(sin(radians(longitude2 - longitude) / 2), 2)
    )))
$$
"""


def make_snapshots(*key: str) -> None:
    """The table anew with this primary key, and its rows in it."""
    op.execute("CREATE TABLE snapshots_before AS SELECT * FROM snapshots")
    op.drop_table("snapshots")
    op.create_table(
        "snapshots",
        sa.Column("model_id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        *([sa.Column("machine", sa.String(length=36), nullable=False)] if "machine" in key else ()),
        sa.Column("blake3", sa.String(length=64), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("last_embedding_id", sa.BigInteger(), nullable=False),
        sa.Column("ann", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["model_id"], ["models.model_id"], name=op.f("fk_snapshots_model_id_models")),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_snapshots")),
    )


def upgrade() -> None:
    make_snapshots("model_id", "kind", "machine")
    op.execute(f"INSERT INTO snapshots (machine, {COLUMNS}) SELECT '', {COLUMNS} FROM snapshots_before")  # noqa: S608
    op.drop_table("snapshots_before")
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        there = set(connection.exec_driver_sql("SELECT collname FROM pg_collation").scalars())
        best = next((name for name in COLLATIONS if name in there), None)
        op.execute(FOLDED.format(collate="" if best is None else f' COLLATE "{best}"'))
        op.execute(DISTANCE)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION clipsearch_distance_km")
        op.execute("DROP FUNCTION clipsearch_folded")
    make_snapshots("model_id", "kind")
    op.execute(
        f"INSERT INTO snapshots ({COLUMNS}) SELECT {COLUMNS} FROM snapshots_before WHERE machine = ''"  # noqa: S608
    )
    op.drop_table("snapshots_before")
