"""How long the fuzz tests look: at the same few examples every time, or at CLIPSEARCH_FUZZ_EXAMPLES new ones."""

import os

from hypothesis import HealthCheck, settings

_ASKED = int(os.environ.get("CLIPSEARCH_FUZZ_EXAMPLES", "0"))


def examples(number: int) -> settings:
    """For a test that looks at `number` examples by default.

    These are always the same: what one run finds by chance must not fail somebody else's change.
    """
    return settings(
        max_examples=_ASKED or number,
        derandomize=not _ASKED,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
