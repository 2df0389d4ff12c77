"""Find the contents that are one item to a person, after an index run: stacks, see `store.stack_rows`.

Two files of one shot (camera raw file and JPEG, photograph and film of a live photo) lie in one folder and have one
stem. The frames of a burst are a chain: each was taken seconds after one before it, by the same camera, and looks like
it.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np

from clipsearch.scoring.stacks import Likeness
from clipsearch.store import Store
from clipsearch.store.reader import Reader
from clipsearch.store.stack_rows import MOST_MEMBERS, Frame, StackFile, member_order, stem_of

# Frames of a burst follow one another within this time: a hand holds the shutter, or presses it again.
_BURST_GAP = timedelta(seconds=4)

# Frames before it that a frame is compared with: another camera's, and raw files, may lie between those of a burst.
_LOOK_BACK = 6

# What cameras write next to a raw file.
_DEVELOPED = frozenset({"JPEG", "MPO", "HEIF"})
# Times of the two differ where only one of them has fractions of a second.
_SAME_SHOT = timedelta(seconds=1)

# Apple's films of live photos have 3 seconds. They are dated at one of their ends, or when they were written.
_LIVE_FORMATS = frozenset({"MP4", "QuickTime"})
_LIVE_SECONDS = 5.0
_LIVE_GAP = timedelta(seconds=10)
# Most films are dated in UTC, by clocks that differ from local time by up to 14 hours and by multiples of 15 minutes.
_MOST_OFFSET, _OFFSET_STEP = timedelta(hours=14), timedelta(minutes=15)

# Above this number of changed contents, all are looked at, in the order of time.
_MOST_CHANGED = 50_000

# Frames read at once around one that has changed, at first.
_RUN = 8

# Pairs whose embeddings are compared at once, and embeddings sampled for the usual distance.
_PAIRS = 4_000
_SAMPLE = 512

_Link = tuple[int, int]


def find_stacks(store: Store, *, model_id: int, dim: int, again: bool = False) -> int:
    """Find the stacks of contents that are new or have changed since this was last done, and store them.

    Args:
        model_id: of the embeddings that are compared, with `dim`.
        again: look at all contents, as after a change of the model.

    Returns:
        The number of contents whose stack is another now.
    """
    reader = store.reader
    since, last = reader.stacks.state()
    changed = [] if since is None or again else reader.stacks.changed_after(since, _MOST_CHANGED + 1)
    is_all = since is None or again or len(changed) > _MOST_CHANGED
    if not is_all and not changed:
        return 0
    finder = _Finder(reader, model_id=model_id, dim=dim)
    affected = None if is_all else finder.look_around(changed)
    if is_all:
        finder.look_at_all()
    return store.stacks.replace(_choose_best(finder.links, reader), of=affected, seen=last)


class _Finder:
    """Collects links: pairs of contents that are in one stack."""

    def __init__(self, reader: Reader, *, model_id: int, dim: int) -> None:
        self._reader = reader
        self._model_id, self._dim = model_id, dim
        self._likeness: Likeness | None = None
        self.links: list[_Link] = []

    def look_at_all(self) -> None:
        for files in self._reader.stacks.files_of_films_and_raws():
            self._link_shots(list(self._reader.stacks.siblings(files)))
        self._link_bursts(self._reader.stacks.frames_from())

    def look_around(self, content_ids: Collection[int]) -> set[int]:
        """Look at contents, and at all that may be in one stack with them, or was; return all of these."""
        stacks = self._reader.stacks
        looked_at: set[int] = set()
        in_runs: set[int] = set()
        left = set(content_ids)
        while left:
            left.update(stacks.members(sorted(set(stacks.stack_ids(sorted(left)).values()))))
            left -= looked_at
            looked_at |= left
            files = list(stacks.siblings(list(stacks.files_of(sorted(left)))))
            self._link_shots(files)
            found = {each.content_id for each in files}
            dated = [frame for frame in stacks.frames(sorted(left)).values() if frame.taken_at is not None]
            for frame in sorted(dated, key=_time_order):
                if frame.content_id not in in_runs and not frame.is_film:
                    run = list(self._run_of(frame))
                    in_runs.update(each.content_id for each in run)
                    self._link_bursts(run)
            found |= in_runs
            left = found - looked_at
        return looked_at

    def _run_of(self, frame: Frame) -> Iterator[Frame]:
        """Yield the frames around one, in the order of time, as long as each follows the one before closely."""
        first = frame
        for before in self._reader.stacks.frames_before(frame, chunk=_RUN):
            if not _is_close(before, first):
                break
            first = before
        last = first
        for after in self._reader.stacks.frames_from(first.taken_at, chunk=_RUN):
            if not _is_close(last, after):
                break
            last = after
            yield after

    def _link_shots(self, files: Sequence[StackFile]) -> None:
        """Link the contents of files that have one folder and stem."""
        names: dict[tuple[int, bytes], set[int]] = {}
        for file in files:
            names.setdefault((file.root_id, stem_of(file.relative_path)), set()).add(file.content_id)
        several = [numbers for numbers in names.values() if len(numbers) > 1]
        frames = self._reader.stacks.frames(sorted(set().union(*several)))
        for numbers in several:
            known = [frames[number] for number in sorted(numbers) if number in frames]
            self.links += [
                (one.content_id, other.content_id)
                for one in known
                for other in known
                if _is_raw_of(one, other) or _is_film_of(one, other)
            ]

    def _link_bursts(self, frames: Iterable[Frame]) -> None:
        """Link frames, in the order of time, that are near one before in time and alike."""
        pairs: list[tuple[Frame, Frame]] = []
        for pair in _near_in_time(frames):
            pairs.append(pair)
            if len(pairs) == _PAIRS:
                self._link_alike(pairs)
                pairs = []
        self._link_alike(pairs)

    def _link_alike(self, pairs: Sequence[tuple[Frame, Frame]]) -> None:
        if not pairs:
            return
        ids = sorted({frame.content_id for pair in pairs for frame in pair})
        embeddings = self._reader.embeddings(ids, model_id=self._model_id, dim=self._dim)
        known = [pair for pair in pairs if all(frame.content_id in embeddings for frame in pair)]
        if not known:
            return
        if self._likeness is None:
            self._likeness = Likeness.of(self._reader.sample_covers(_SAMPLE, model_id=self._model_id, dim=self._dim))
        rows = [np.stack([embeddings[pair[place].content_id] for pair in known]) for place in (0, 1)]
        cosines = np.einsum("nd,nd->n", *rows)
        bits = np.array([_differing_bits(*pair) for pair in known], dtype=np.uint8)
        self.links += [
            (pair[0].content_id, pair[1].content_id)
            for pair, is_alike in zip(known, self._likeness.are_alike(cosines, bits).tolist(), strict=True)
            if is_alike
        ]


def _near_in_time(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame]]:
    """Yield pairs of photographs of one camera, the second taken seconds after the first."""
    recent: deque[Frame] = deque(maxlen=_LOOK_BACK)
    for frame in frames:
        if frame.taken_at is None or frame.is_film:
            continue
        for former in recent:
            is_one_camera = None in (former.camera, frame.camera) or former.camera == frame.camera
            if is_one_camera and _is_close(former, frame):
                yield former, frame
        recent.append(frame)


def _is_close(earlier: Frame, later: Frame) -> bool:
    if earlier.taken_at is None or later.taken_at is None:
        return False
    return later.taken_at - earlier.taken_at <= _BURST_GAP


def _differing_bits(one: Frame, other: Frame) -> int:
    """Count the bits that differ; an unknown hash, and that of a picture of one colour, is like none."""
    if not one.phash or not other.phash:
        return 64
    return ((one.phash ^ other.phash) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


def _is_raw_of(raw: Frame, still: Frame) -> bool:
    """Return whether a camera raw file and a photograph of one stem are one shot."""
    if not raw.is_raw or still.format not in _DEVELOPED or still.is_film:
        return False
    return raw.taken_at is None or still.taken_at is None or abs(raw.taken_at - still.taken_at) <= _SAME_SHOT


def _is_film_of(film: Frame, still: Frame) -> bool:
    """Return whether a film and a photograph of one stem are a live photo."""
    if film.format not in _LIVE_FORMATS or still.is_film or not 0 < (film.duration_s or 0) <= _LIVE_SECONDS:
        return False
    if film.taken_at is None or still.taken_at is None:
        return True
    difference = abs(film.taken_at - still.taken_at)
    beyond = difference % _OFFSET_STEP
    return difference <= _MOST_OFFSET and min(beyond, _OFFSET_STEP - beyond) <= _LIVE_GAP


def _choose_best(links: Sequence[_Link], reader: Reader) -> dict[int, int]:
    """Return content id → content id of the best of its stack, of all that are linked."""
    stacks: dict[int, int] = {}
    members: list[list[int]] = []
    for group in _groups(links):
        members.append(group)
        if sum(map(len, members)) >= _PAIRS:
            stacks |= _best_of(members, reader)
            members = []
    return stacks | _best_of(members, reader)


def _best_of(groups: Sequence[Sequence[int]], reader: Reader) -> dict[int, int]:
    frames = reader.stacks.frames([number for group in groups for number in group])
    stacks: dict[int, int] = {}
    for group in groups:
        known = [frames[number] for number in group if number in frames]
        known.sort(key=_time_order)
        for start in range(0, len(known), MOST_MEMBERS):
            part = known[start : start + MOST_MEMBERS]
            if len(part) > 1:
                best = min(part, key=member_order).content_id
                stacks |= dict.fromkeys((frame.content_id for frame in part), best)
    return stacks


def _time_order(frame: Frame) -> tuple[bool, datetime, int]:
    """Key that sorts by time, those without one last."""
    return (frame.taken_at is None, frame.taken_at or datetime.max, frame.content_id)


def _groups(links: Sequence[_Link]) -> Iterator[list[int]]:
    """Yield the sets of contents that links connect, by union-find."""
    parents: dict[int, int] = {}

    def root_of(number: int) -> int:
        while (parent := parents.setdefault(number, number)) != number:
            parents[number] = parents[parent]
            number = parent
        return number

    for one, other in links:
        roots = root_of(one), root_of(other)
        parents[max(roots)] = min(roots)
    groups: dict[int, list[int]] = {}
    for number in parents:
        groups.setdefault(root_of(number), []).append(number)
    yield from groups.values()
