"""The file of columns is known to garbage collection, and one that is damaged is found."""

import random

from clipsearch.columns.file import column_path
from clipsearch.maintenance.check_snapshots import check_snapshots
from clipsearch.maintenance.orphans import named_files
from clipsearch.paths import index_folder
from clipsearch.session import columns as session_columns
from clipsearch.session.columns import refresh_columns
from clipsearch.store import Store
from clipsearch.store.backends.connection import DATABASE_NAME
from clipsearch.store.recovery.integrity import FileInspection
from tests.support.odd_catalogs import fill


def test_a_damaged_file_of_columns_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(session_columns, "_FEW_ROWS", 20)
    with Store(tmp_path, create=True) as store:
        fill(store, 100, random.Random(0))
        refresh_columns(store, index_folder(tmp_path))
        file = column_path(index_folder(tmp_path), store.column_rows.find_file().blake3)
        assert file in named_files(tmp_path, store.reader)
        with FileInspection(tmp_path / DATABASE_NAME) as inspection:
            assert check_snapshots(tmp_path, store.reader, inspection, sample=None).faults == []
            content = bytearray(file.read_bytes())
            content[-100] ^= 1
            file.write_bytes(content)
            (fault,) = check_snapshots(tmp_path, store.reader, inspection, sample=None).faults
        assert fault == f"the file of columns {file} is damaged"


def test_a_file_of_another_version_is_not_called_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(session_columns, "_FEW_ROWS", 20)
    with Store(tmp_path, create=True) as store:
        fill(store, 100, random.Random(0))
        refresh_columns(store, index_folder(tmp_path))
        file = column_path(index_folder(tmp_path), store.column_rows.find_file().blake3)
        file.write_bytes(b"clipcol1" + file.read_bytes()[8:])
        with FileInspection(tmp_path / DATABASE_NAME) as inspection:
            (fault,) = check_snapshots(tmp_path, store.reader, inspection, sample=None).faults
        assert fault == f"the file of columns {file} is of another version of clipsearch"
