"""What the library returns: frozen records, one shape each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from clipsearch.description import Description

Sort: TypeAlias = Literal["relevance", "taken", "added", "name"]
"""Order of the hits of a search.

relevance: the nearest first; of filters alone, as taken. taken: the last taken first, then doubtful dates, then what
has no date. added: the last added first. name: by the file name, "img9.jpg" before "img10.jpg", then by the folder.
"""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which model to load, and how to run it.

    Attributes:
        name: "starter", a hub id with an optional "@revision", or a directory; None: the caller's default.
        device: "cpu", "cuda", "mps" …: everything runs there. None: texts on the CPU, pictures on the best there is.
        runtime: "torch" or "openvino"; None: OpenVINO where it can run the model.
        show_progress: draw a bar on stderr while files are downloaded.
        precision: "f32", "bf16" or "int8": of the arithmetic with OpenVINO on the CPU; "auto" or None: the fastest that
            agrees with float32, int8 only where it is much faster.
    """

    name: str | None = None
    device: str | None = None
    runtime: str | None = None
    show_progress: bool = False
    precision: str | None = None


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """Metadata of a picture: everything but its pixels.

    Attributes:
        width: pixels, after orientation.
        height: pixels, after orientation.
        format: Pillow's name of the file's real format, whatever its suffix: "JPEG", "MPO", "PNG", "HEIF", …; that of a
            camera raw file is its usual suffix, "CR2", "NEF", ….
        taken_at: local time of the camera's clock, to the microsecond where present, without a time zone. A UTC offset
            next to it is ignored on purpose: "taken in July" means July where the picture was taken, and most pictures
            have no offset anyway.
        camera: make and model, "Canon EOS 5D".
        latitude: degrees, north positive, -90 to 90; None exactly when `longitude` is None.
        longitude: degrees, east positive, -180 to 180.
        is_date_doubtful: `taken_at` is the date of a clock that was never set, or is in the future.
        decoded_share: share of the rows, 0.75 to 1, of a truncated picture; None for a complete one.
        is_coarse: of a truncated picture: some of the detail or colours is missing in all rows.
        phash: see `perceptual_hash`; None where the pixels were not decoded, and in metadata read from the store.
        sharpness: 0 to 100, see `images.measures`; None where the pixels were not decoded, or by an earlier version.
        brightness: 0 to 100, likewise.
        duration_s: of a film or an animation, in seconds; None for anything else.
        description: what is written in the file, and from the store also in its sidecars; None: that was not read.
    """

    width: int
    height: int
    format: str
    taken_at: datetime | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    is_date_doubtful: bool = False
    decoded_share: float | None = None
    is_coarse: bool = False
    phash: int | None = None
    sharpness: int | None = None
    brightness: int | None = None
    duration_s: float | None = None
    description: Description | None = None


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was found and could not be indexed.

    Attributes:
        limit: which limit it went beyond: "megapixels", "seconds", "bytes"; it is tried again when that is higher.
    """

    path: str
    reason: str
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class PartialFile:
    """A file whose end is missing or zeros, and which was indexed as far as it goes.

    Attributes:
        decoded_share: of its rows, 0.75 to 1.
        is_coarse: a progressive JPEG without its last scans: a part of the detail or of the colours is missing.
    """

    path: str
    decoded_share: float
    is_coarse: bool = False


@dataclass(frozen=True, slots=True)
class IndexReport:
    """Counts of one index run: found = embedded + reused + unchanged + len(skipped), unless it was interrupted.

    Attributes:
        found: picture files seen under the folders.
        embedded: files whose content went through the model in this run.
        reused: new or changed paths whose content was already known (copies, renames, moves).
        unchanged: the same as before at the same path: nothing says that it was changed, or it was read and was not.
        removed: files that were known and are gone, and were not moved.
        skipped: files that could not be indexed, with the reason; also those known to be bad since an earlier run.
        unsupported: picture files of kinds that are not read, number by extension, e.g. {".mov": 8}.
        seconds: wall time of the run. model: its name.
        interrupted: stopped by the user before the end; what was done is kept.
        partial: embedded in this run though the end of the file is missing or zeros.
        moved: of the reused, those that were moved or renamed: a file with that content is gone from another place.
        parts: kind of parts, "scene", "page" or "crop" → contents that were embedded in this run with such, and the
            number of these.
        sidecars: files beside pictures, new or changed, that were read. texts: see there; None: none was looked for.
    """

    found: int
    embedded: int
    reused: int
    unchanged: int
    removed: int
    skipped: tuple[SkippedFile, ...]
    unsupported: dict[str, int]
    seconds: float
    model: str
    interrupted: bool = False
    partial: tuple[PartialFile, ...] = ()
    moved: int = 0
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sidecars: int = 0
    texts: "TextReport | None" = None


@dataclass(frozen=True, slots=True)
class TextReport:
    """Counts of one pass that looks for text in pictures.

    Attributes:
        read: pictures that were looked at; with_text: those of them that have text.
        left: pictures that were not looked at, as it was interrupted.
        skipped, seconds, interrupted: as in `IndexReport`.
    """

    read: int
    with_text: int
    left: int
    skipped: tuple[SkippedFile, ...]
    seconds: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class CaptionHit:
    """One text that answers a picture.

    Attributes:
        rank: from 1.
        text: the caption or candidate text.
        score: cosine, -1 to 1.
        probability: softmax(logit_scale · cosine) over all candidates, or sigmoid(logit_scale · cosine + logit_bias).
        relevance: 0 to 1, how surely a stored caption fits the picture, as in a search by its words. It may grow with
            the rank. None for candidates given on the spot: those are compared with each other alone.
    """

    rank: int
    text: str
    score: float
    probability: float
    relevance: float | None = None


@dataclass(frozen=True, slots=True)
class LabelHit:
    """One label of a set that may fit a picture.

    Attributes:
        rank: from 1, by relevance.
        label: as the set has it.
        score: cosine of the picture and the label, averaged over the templates. It may grow with the rank: what a label
            scores on pictures that it does not fit is not taken out of it.
        relevance: 0 to 1, how surely the label fits, as far as it stands out from all of the set; see `labelling`.
    """

    rank: int
    label: str
    score: float
    relevance: float


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture of the catalog with what fits it of a set of labels.

    Attributes:
        path: absolute.
        content_id: the catalog's number for the picture's content.
        labels: the most relevant first; none where nothing stands out.
    """

    path: str
    content_id: int
    labels: tuple[LabelHit, ...]


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """One picture of a few that answers a text; probability is over those pictures."""

    rank: int
    path: str
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that has embeddings in a catalog."""

    model_id: int
    name: str
    fingerprint: str
    dim: int
    images: int
    captions: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last `index` run that has ended, times in UTC.

    Attributes:
        unsupported: as in `IndexReport`; empty where an earlier version did not store it.
    """

    started_at: datetime
    seconds: float
    found: int
    embedded: int
    reused: int
    unchanged: int
    removed: int
    skipped: int
    finished: bool
    unsupported: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """An `index` run that goes on, in this process or another.

    Attributes:
        started_at: in UTC, as is `updated_at`, when it last said how far it has come.
        done: files that are new or have changed and were dealt with.
        to_do: those that are left, as far as is known.
    """

    started_at: datetime
    updated_at: datetime
    done: int
    to_do: int

    @property
    def seconds(self) -> float:
        """How long it has been going on, to `updated_at`."""
        return max(0.0, (self.updated_at - self.started_at).total_seconds())

    def __str__(self) -> str:
        minutes = int(self.seconds / 60)
        hours = f"{minutes // 60} h " if minutes >= 60 else ""
        duration = f"{hours}{minutes % 60} min" if minutes else f"{self.seconds:.0f} s"
        return f"an index run has been going on for {duration}: {self.done:,} done, {self.to_do:,} to do"


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """Counts and sizes of a catalog.

    Attributes:
        directory: where it lies.
        model: name of the model in use, None before the first index run.
        folders: indexed folders.
        files: indexed picture files. pictures: different contents among them.
        skipped: files that could not be indexed.
        captions: stored captions.
        database_bytes: SQLite file with its log. index_bytes: FAISS snapshots.
        last_run: that has ended; one that was killed is not `finished`.
        current_run: that goes on, the last begun of several; None: there is none.
        ann: of pictures that a search compares with in part only, see `indexes.ann.Tuning`; None: with all.
        exclude: indexed folder → patterns of what is left out of it, where there are any.
        precision: of the model in use where it was compiled on this machine, such as "bf16"; None: it was not.
        formats: detected format → number of different pictures of it, the most frequent first.
        parts: as in `IndexReport`, of all pictures.
        texts: pictures in which text was looked for, and those that have any.
    """

    directory: str
    model: str | None
    models: tuple[ModelInfo, ...]
    folders: tuple[str, ...]
    files: int
    pictures: int
    skipped: int
    captions: int
    database_bytes: int
    index_bytes: int
    last_run: LastRun | None
    current_run: CurrentRun | None = None
    ann: Mapping[str, float] | None = None
    exclude: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    precision: str | None = None
    formats: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    texts: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class FetchedPicture:
    """What lies at a URL: taken wherever a picture is, and embedded just like a file with that content.

    Attributes:
        url: as requested, before any redirect.
        content: all bytes, not decoded yet.
    """

    url: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Concept:
    """What examples have taught, to search for as `@name`.

    Attributes:
        name: folded, as in `query.concept_name`.
        words: that describe it; None: its examples alone do.
        created_at: UTC.
        positives: content ids of pictures that show it, in the order they were added.
        negatives: of pictures that don't, though they look like it.
    """

    name: str
    words: str | None
    created_at: datetime
    positives: tuple[int, ...]
    negatives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What collecting the garbage of a catalog deleted, or would delete.

    Attributes:
        files: files that are gone, forgotten now.
        pictures: different pictures that no file has any more.
        embeddings: of those pictures, of all models.
        folders: folders that were given up and have no files left.
        index_files: files of the index that nothing used.
        freed_bytes: of the disk; an estimate for a dry run.
        is_dry_run: nothing was deleted.
    """

    files: int
    pictures: int
    embeddings: int
    folders: int
    index_files: int
    freed_bytes: int
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """A folder that was taken out of a catalog, or would be; its files are untouched.

    Attributes:
        folder: absolute.
        folders: indexed folders, at that place or below it, that are not looked through any more; empty when it is a
            subfolder of one, which is left out of it from now on.
        files: that are not found any more, those that could not be indexed included.
        pictures: different ones that have no file any more.
        is_dry_run: nothing was changed.
    """

    folder: str
    folders: tuple[str, ...]
    files: int
    pictures: int
    is_dry_run: bool = False
