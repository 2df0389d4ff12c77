"""Names folded beside the names, for filters: by one rule in every database, instead of a function of the server's."""

import sqlalchemy as sa
from alembic import op

from clipsearch.store.folded_names import fill_server, fill_sqlite

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ADDED = {"roots": "folded_path", "files": "folded_path", "contents": "folded_camera"}

# How small letters are made of all scripts, the best first; as in 0005.
COLLATIONS = ("pg_unicode_fast", "und-x-icu", "pg_c_utf8")
FOLDED = r"""
CREATE FUNCTION clipsearch_folded(name bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN normalize(lower(normalize(convert_from(name, 'UTF8'), NFC){collate}), NFC);
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN lower(replace(regexp_replace(encode(name, 'escape'), '\\([0-9][0-9][0-9])', '÷\1', 'g'), '\\', '\'));
END $$
"""


def upgrade() -> None:
    # They may be NULL: added in place, without copying a table.
    for table, column in ADDED.items():
        op.add_column(table, sa.Column(column, sa.String(), nullable=True))
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        op.execute("DROP FUNCTION clipsearch_folded")
        fill_server(driver)
    else:
        fill_sqlite(driver)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        there = set(connection.exec_driver_sql("SELECT collname FROM pg_collation").scalars())
        best = next((name for name in COLLATIONS if name in there), None)
        op.execute(FOLDED.format(collate="" if best is None else f' COLLATE "{best}"'))
    for table, column in ADDED.items():
        # In place, as they were added. Source: SQLite 3.35, https://sqlite.org/lang_altertable.html
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
