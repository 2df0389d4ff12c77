"""What the meaning of a query depends on: the day, and what the catalog knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from clipsearch.description import BEST
from clipsearch.query.filters import FAVOURITES
from clipsearch.query.phrases.file_facts import CameraNames
from clipsearch.query.phrases.people import PeopleNames, people_names


@dataclass(frozen=True)
class Context:
    """What the meaning of a query depends on; of the catalog only what a query turns out to need is read.

    Attributes:
        today: date that "last summer" is relative to.
        find_cameras: names of the catalog's cameras.
        find_whether_dated: whether any picture has a date; else dates stay words.
        find_people: names of the people in the catalog's pictures.
        find_whether_placed: whether any picture has a position or the name of a place; else places stay words.
        find_whether_rated: whether any picture has a rating; else ratings stay words.
        find_whether_favoured: whether any picture is among the favourites; else the best rated are.
    """

    today: date
    find_cameras: Callable[[], Sequence[str]] = tuple
    find_whether_dated: Callable[[], bool] = lambda: True
    find_people: Callable[[], Sequence[str]] = tuple
    find_whether_placed: Callable[[], bool] = lambda: False
    find_whether_rated: Callable[[], bool] = lambda: False
    find_whether_favoured: Callable[[], bool] = lambda: False

    @cached_property
    def cameras(self) -> CameraNames:
        """Cameras by the words of their names."""
        return CameraNames(self.find_cameras())

    @cached_property
    def people(self) -> PeopleNames:
        """People by the words of their names."""
        return people_names(tuple(self.find_people()))

    @cached_property
    def is_placed(self) -> bool:
        """Whether any picture has a position or the name of a place."""
        return self.find_whether_placed()

    @cached_property
    def is_rated(self) -> bool:
        """Whether any picture has a rating."""
        return self.find_whether_rated()

    @cached_property
    def favourites(self) -> tuple[str, str] | None:
        """Key and value of the filter for favourites; None where there are none."""
        if self.find_whether_favoured():
            return "album", FAVOURITES
        return ("rating", str(BEST)) if self.is_rated else None
