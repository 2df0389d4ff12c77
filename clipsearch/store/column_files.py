"""Record the file of columns that a machine has."""

from clipsearch.store import tables
from clipsearch.store.backends.database import Database
from clipsearch.store.records import StoredColumnFile


class ColumnFileStore:
    def __init__(self, database: Database, *, machine: str = "") -> None:
        """Take the database; `machine` as in `EmbeddingStore`."""
        self._database = database
        self._machine = machine

    def set(self, file: StoredColumnFile) -> None:
        """Put a file into use on this machine."""
        values = {"blake3": file.blake3, "row_count": file.row_count, "last_change": file.last_change}
        statement = self._database.insert(tables.column_files).values(machine=self._machine, **values)
        with self._database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["machine"], set_=values))
