"""Ask either kind of database in plain SQL."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, TypeVar

Dialect = Literal["sqlite", "postgresql"]

_Value = TypeVar("_Value")

# Parameters of one IN (...): SQLite allows 32,766. Source: https://sqlite.org/limits.html
_IN_LIMIT = 10_000


def parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """No more at once than one IN (...) takes."""
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]


class Asking(Protocol):
    """One connection that only reads, opened when it is first asked; may be used from any thread."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, statement: str, *values: object, is_selection: bool = False) -> list[Any]:
        """What a statement gives: one consistent state.

        Args:
            statement: with a question mark for each value, and no other.
            is_selection: it may use the functions of `selection`.

        Raises:
            StoreError: it failed, or is closed.
        """
        ...

    def at_one_moment(self) -> "Asking":
        """Another one, to be closed by itself: all that it is asked is as of its first question."""
        ...

    def close(self) -> None: ...
