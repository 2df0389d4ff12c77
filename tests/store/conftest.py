"""The store over each kind of database."""

from tests.support.stores import make_store, store

__all__ = ["make_store", "store"]
