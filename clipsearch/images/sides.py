"""Check the side of a picture that is to be made."""

from clipsearch.errors import InputError

# Maximum side of a JPEG. Source: ITU-T T.81, B.2.2
_MAX_SIDE = 65_535


def check_side(side: int) -> None:
    """Check the side of a thumbnail in pixels.

    Raises:
        InputError: it is not a whole number from 1 to 65,535.
    """
    if not isinstance(side, int) or not 1 <= side <= _MAX_SIDE:
        raise InputError(f"the side of a thumbnail must be 1 to {_MAX_SIDE:,} pixels, got {side}")
