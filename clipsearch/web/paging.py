"""Page through the listings of the HTTP API: answers that are arrays name their next page in the header Link."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

from clipsearch.search.cursors import Slice, cursor_key, find_slice

Item = TypeVar("Item")

After = Annotated[
    str | None, Query(max_length=300, description="Cursor: `next` of the previous page, or `after` in its `Link`.")
]

LINKED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page, as in `</api/concepts?after=…>; rel="next"`; missing on the last one.',
                "schema": {"type": "string"},
            }
        }
    }
}
"""Response of a route that calls `PageRequest.list`."""


class PageRequest:
    """Request of one page of a listing."""

    def __init__(self, request: Request, response: Response, after: str | None) -> None:
        self._request, self._response, self._after = request, response, after

    def slice(self, find: Callable[[int], Sequence[Item]], *key: object, page_size: int) -> Slice[Item]:
        """Return the page; arguments and errors as of `find_slice`.

        Args:
            key: what the listing depends on, besides the path of the URL.
        """
        whole = cursor_key(self._request.url.path, *key)
        return find_slice(find, page_size=page_size, after=self._after, key=whole)

    def list(self, find: Callable[[int], Sequence[Item]], *key: object, page_size: int) -> Sequence[Item]:
        """Return the items of the page, and name the next one in the header of the response."""
        found = self.slice(find, *key, page_size=page_size)
        if found.next is not None:
            self._response.headers["Link"] = next_link(self._request, found.next)
        return found.items


def next_link(request: Request, cursor: str) -> str:
    """Return the header Link with the URL of the next page. Source: RFC 8288, 3."""
    url = request.url.include_query_params(after=cursor)
    return f'<{url.path}?{url.query}>; rel="next"'


async def _read_page(request: Request, response: Response, after: After = None) -> PageRequest:
    return PageRequest(request, response, after)


PageDep = Annotated[PageRequest, Depends(_read_page)]
