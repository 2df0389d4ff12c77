"""What a text must be before a tokenizer sees it, and what it may be instead of words."""

from collections.abc import Sequence

from clipsearch.errors import QueryError


def check_text(text: str, what: str) -> None:
    """
    Args:
        what: the text's name in the message, as in "query".

    Raises:
        QueryError: it is empty, or holds bytes that were no valid text (lone surrogates).
    """
    if not text.strip():
        raise QueryError(f"the {what} is empty: say what to look for, as in 'a red car in the snow'")
    if not is_valid(text):
        raise QueryError(f"the {what} is not valid text (UTF-8): {text.encode('utf-8', 'backslashreplace').decode()}")


def as_list(texts: str | Sequence[str]) -> list[str]:
    """One text is a list of one, not of its letters."""
    return [texts] if isinstance(texts, str) else list(texts)


MOST_TOP_K = 1_000_000_000
"""Results of a query: more than any catalog has."""


def check_top_k(top_k: int) -> None:
    """
    Raises:
        QueryError: it is less than 1, or more than a billion.
    """
    if not 1 <= top_k <= MOST_TOP_K:
        raise QueryError(f"top_k must be at least 1 and at most {MOST_TOP_K:,}, not {top_k}")


def is_valid(text: str) -> bool:
    """False for a text with lone surrogates, which stand for bytes that could not be decoded."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))
