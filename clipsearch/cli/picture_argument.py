"""URLs given as pictures: fetched only when the user has said so."""

from clipsearch import settings
from clipsearch.errors import QueryError
from clipsearch.text import is_url
from clipsearch.types import FetchedPicture


def picture_of(name: str, *, allow_url: bool, or_else: str = "") -> str | FetchedPicture:
    """A path as it is; a URL fetched.

    Args:
        allow_url: the user has opted in with --allow-url; CLIPSEARCH_ALLOW_URL does the same, for all hosts or some.
        or_else: what else can be done, for the message.

    Raises:
        QueryError: it is a URL and the user has not opted in.
        InputError: the URL can't be used.
        ImageReadError: nothing came, or no picture.
    """
    if not is_url(name):
        return name
    if not (allow_url or settings.is_url_allowed(name)):
        raise QueryError(
            f"{name} is a URL and nothing was fetched: --allow-url or CLIPSEARCH_ALLOW_URL=1 allows it{or_else}"
        )
    from clipsearch.images.remote.fetch import fetch_picture

    return fetch_picture(name, hosts=settings.allowed_hosts())
