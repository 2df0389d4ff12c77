"""Resolve picture arguments, which are paths or, with the user's consent, URLs."""

from clipsearch import settings
from clipsearch.errors import QueryError
from clipsearch.text import is_url
from clipsearch.types import FetchedPicture


def load_picture(name: str, *, allow_url: bool, or_else: str = "") -> str | FetchedPicture:
    """Return a path unchanged, and fetch a URL.

    Args:
        allow_url: the user has opted in with --allow-url; CLIPSEARCH_ALLOW_URL does the same, for all hosts or some.
        or_else: an alternative to add to the error message.

    Raises:
        QueryError: a URL without the user's consent.
        InputError: invalid or forbidden URL.
        ImageReadError: the download failed, or its content is not a picture.
    """
    if not is_url(name):
        return name
    if not (allow_url or settings.is_url_allowed(name)):
        raise QueryError(
            f"{name} is a URL and was not fetched: use --allow-url or CLIPSEARCH_ALLOW_URL=1 to allow it{or_else}"
        )
    from clipsearch.images.remote.fetch import fetch_picture

    return fetch_picture(name, hosts=settings.allowed_hosts())
