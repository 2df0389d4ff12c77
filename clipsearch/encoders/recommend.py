"""Recommend known models for a machine: one for everyday, and a better one that costs more."""

from collections.abc import Sequence
from dataclasses import dataclass

from clipsearch.encoders.hub import hub
from clipsearch.encoders.hub.known_models import DEFAULT_MODEL, KNOWN_MODELS, KnownModel
from clipsearch.encoders.machine import Machine
from clipsearch.encoders.openvino import cache as compile_cache
from clipsearch.quantities import size
from clipsearch.settings import STARTER

# Embedding time for 100,000 pictures that a model for everyday may take.
_EVERYDAY_HOURS = 2

PICTURES = 100_000
"""Number of pictures that `Recommendation.hours` refers to."""

# Compiling a model of 605 MB needed 1.73 GB.
_MEMORY_FACTOR = 3

# A download, and its compiled form in float16.
_DISK_FACTOR = 1.5

_QUICK = f"finds the most, bar the best, of those that take at most {_EVERYDAY_HOURS} hours for {PICTURES:,} pictures"
_FASTEST = "the fastest here of those that find well"
_ONLY_ONE = "the only larger model that fits in memory and on the disk"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model that suits this machine.

    Attributes:
        name: hub id, or "starter".
        use: "everyday" or "better".
        reason: one line.
        image_ms: expected embedding time of a picture; None when unknown.
        is_measured: `image_ms` was measured when the model was compiled on this machine, else it is an estimate.
        download_bytes: still to be downloaded.
        recall: as in `KnownModel`, like `languages`.
        commands: to switch a catalog to it.
    """

    name: str
    use: str
    reason: str
    image_ms: float | None
    is_measured: bool
    download_bytes: int
    recall: float | None
    languages: str
    commands: tuple[str, ...]

    @property
    def hours(self) -> float | None:
        """Expected time for embedding `PICTURES` pictures, without decoding them."""
        return None if self.image_ms is None else _hours(self.image_ms)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known model on a machine; attributes as in `Recommendation`."""

    model: KnownModel
    image_ms: float
    is_measured: bool
    download_bytes: int


def find_candidates(machine: Machine, *, models: Sequence[KnownModel] = KNOWN_MODELS) -> list[Candidate]:
    """Return the models with a published recall, with what each costs on a machine; downloads nothing."""
    candidates = []
    for known in models:
        if known.recall is None:
            continue
        cached = hub.find_cached(known.name)
        # Pictures run on the GPU where there is one; what was measured when compiling is the CPU.
        measured = None if cached is None or machine.gpu is not None else compile_cache.find_image_ms(cached)
        estimate = 1000 * known.image_gflop / machine.tower_gflops
        candidates.append(
            Candidate(known, measured or estimate, measured is not None, 0 if cached else known.size_bytes)
        )
    return candidates


def recommend(machine: Machine, candidates: Sequence[Candidate]) -> tuple[Recommendation, ...]:
    """Choose a model for everyday and, unless there is none, a better one that costs more.

    Considered are models that fit in memory and on the disk and that no other one beats in both recall and time; for
    another language than English, multilingual ones if any fits. Everyday is the one with the best recall within two
    hours for 100,000 pictures, but never the best of all. Where no model fits, or only one, it is the starter model.
    """
    fitting = [candidate for candidate in candidates if _fits(machine, candidate)]
    speaks_english = machine.language in (None, "en")
    suitable = fitting if speaks_english else [one for one in fitting if one.model.is_multilingual] or fitting
    # Ascending in recall and in time.
    frontier = sorted((one for one in suitable if not _is_beaten(one, suitable)), key=_recall)
    if len(frontier) < 2:
        only = [_recommend(one, "better", _ONLY_ONE, machine) for one in frontier]
        return (_recommend_starter(machine, has_better=bool(only)), *only)
    quick = [row for row, one in enumerate(frontier[:-1]) if _hours(one.image_ms) <= _EVERYDAY_HOURS]
    everyday, better = frontier[max(quick, default=0)], frontier[max(quick, default=0) + 1]
    gain, times = _recall(better) - _recall(everyday), better.image_ms / everyday.image_ms
    return (
        _recommend(everyday, "everyday", _QUICK if quick else _FASTEST, machine),
        _recommend(better, "better", f"finds {gain:.1f} points more for {times:.1f} times the time", machine),
    )


def _fits(machine: Machine, candidate: Candidate) -> bool:
    size_bytes = candidate.model.size_bytes
    has_memory = machine.memory_bytes is None or _MEMORY_FACTOR * size_bytes <= machine.memory_bytes
    has_disk = machine.disk_bytes is None or _DISK_FACTOR * candidate.download_bytes <= machine.disk_bytes
    return candidate.is_measured or (has_memory and has_disk)


def _is_beaten(candidate: Candidate, others: Sequence[Candidate]) -> bool:
    def beats(other: Candidate) -> bool:
        costs = other.model.image_gflop, candidate.model.image_gflop
        recalls = _recall(other), _recall(candidate)
        return costs[0] <= costs[1] and recalls[0] >= recalls[1] and (costs[0] < costs[1] or recalls[0] > recalls[1])

    return any(map(beats, others))


def _recall(candidate: Candidate) -> float:
    return candidate.model.recall or 0.0


def _hours(image_ms: float) -> float:
    return image_ms * PICTURES / 3.6e6


def _recommend(candidate: Candidate, use: str, reason: str, machine: Machine) -> Recommendation:
    known = candidate.model
    if machine.language not in (None, "en"):
        speaks = "many languages" if known.is_multilingual else f"{known.languages} only"
        reason += f"; knows {speaks}, and yours is {machine.language!r}"
    return Recommendation(
        name=known.name,
        use=use,
        reason=reason,
        image_ms=candidate.image_ms,
        is_measured=candidate.is_measured,
        download_bytes=candidate.download_bytes,
        recall=known.recall,
        languages=known.languages,
        commands=_commands(known.name, candidate.download_bytes),
    )


def _commands(name: str, download_bytes: int) -> tuple[str, ...]:
    use = f"clipsearch model use {name}"
    return (f"clipsearch model pull {name}", use) if download_bytes else (use,)


def _recommend_starter(machine: Machine, *, has_better: bool) -> Recommendation:
    least = min(KNOWN_MODELS, key=lambda known: known.size_bytes)
    needs = f"{size(_MEMORY_FACTOR * least.size_bytes)} of memory, {size(_DISK_FACTOR * least.size_bytes)} of disk"
    return Recommendation(
        name=STARTER,
        use="everyday",
        reason="small and bundled" if has_better else f"no other model fits: {DEFAULT_MODEL} needs {needs}",
        image_ms=None,
        is_measured=False,
        download_bytes=0,
        recall=None,
        languages="English",
        commands=_commands(STARTER, 0),
    )
