"""Number the changes of what filters see, so that columns in memory can follow them.

Every transaction that adds or changes a content, or one of its files, takes the next number and writes it to the
contents: a seek of the index on `contents.changed` finds what is new since a number. Writers run one at a time, so that
numbers are committed in their order. Contents and files that are deleted for good need no number where they were
marked as removed before.
"""

from sqlalchemy import ColumnElement, Connection, func, update

from clipsearch.store import tables

_NEXT = func.coalesce(tables.catalog.c.last_change, 0) + 1


def next_change(connection: Connection) -> int:
    """Take the number of this write transaction; called again, the next one."""
    taking = update(tables.catalog).values(last_change=_NEXT).returning(tables.catalog.c.last_change)
    number: int = connection.execute(taking).scalar_one()
    return number


def touch_contents(connection: Connection, where: ColumnElement[bool], *, change: int) -> None:
    """Mark contents as changed."""
    content = tables.contents
    connection.execute(update(content).where(where, content.c.changed.is_distinct_from(change)).values(changed=change))


def make_stale(connection: Connection) -> None:
    """Make all columns stale, which are then rebuilt: after a change that no number of a content tells."""
    connection.execute(update(tables.catalog).values(last_change=_NEXT, stale_before=_NEXT))
