"""Query either kind of database in plain SQL."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, TypeVar

Dialect = Literal["sqlite", "postgresql"]

_Value = TypeVar("_Value")

# Parameters of one IN (...): SQLite allows 32,766. Source: https://sqlite.org/limits.html
_IN_LIMIT = 10_000


def chunks(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Split values into chunks that fit into one IN (...)."""
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]


class ReadConnection(Protocol):
    """Thread-safe read-only connection, opened when it is first used."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Return the rows of a statement, all of one consistent state.

        Args:
            statement: with a question mark for each value, and no other.

        Raises:
            StoreError: the query failed, or the connection is closed.
        """
        ...

    def open_snapshot(self) -> "ReadConnection":
        """Return another connection with snapshot isolation, to be closed separately.

        All its queries see the state at the first of them.
        """
        ...

    def close(self) -> None: ...
