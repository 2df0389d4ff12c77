"""What the library returns: frozen records, one shape each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was found and could not be indexed."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one `index` run did. found = embedded + reused + unchanged + len(skipped),
    unless it was interrupted.

    Attributes:
        found: picture files seen under the folders.
        embedded: files whose content went through the model in this run.
        reused: new or changed paths whose content was already known (copies, renames, moves).
        unchanged: same path, size and modification time as before.
        removed: files that were known and are gone.
        skipped: files that could not be indexed, with the reason; also those known to be bad since an earlier run.
        unsupported: picture files of kinds that are not read, number by extension, e.g. {".cr2": 8}.
        seconds: wall time of the run.
        model: name of the model.
        interrupted: stopped by the user before the end; what was done is kept.
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


@dataclass(frozen=True, slots=True)
class TermScore:
    """What one term of a query has to do with a picture.

    Attributes:
        term: as in the language of queries, with its weight but without its sign.
        weight: below 0 for what is not wanted.
        score: cosine of the term alone.
        contribution: to the score of the sum that it is a part of; with a single sum, that of the hit.
    """

    term: str
    weight: float
    score: float
    contribution: float


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One picture that answers a query.

    Attributes:
        rank: from 1.
        score: cosine, -1 to 1, higher is better; comes from the model and is no probability. Where several things must
            hold, of that which holds least. Not a number for a query of filters alone, in which nothing is compared.
        relevance: 0 to 1, how surely the picture shows what is looked for; see `relevance`. It may grow with the rank.
            1 for a query of filters alone.
        path: absolute path of the picture (non-UTF-8 bytes as surrogate escapes).
        content_id: the catalog's number for the picture's content.
        copies: absolute paths of other files with the same content.
        terms: what each term of the query has to do with it; empty unless that was asked for.
    """

    rank: int
    score: float
    relevance: float
    path: str
    content_id: int
    copies: tuple[str, ...] = ()
    terms: tuple[TermScore, ...] = ()


@dataclass(frozen=True, slots=True)
class CaptionHit:
    """One text that answers a picture.

    Attributes:
        rank: from 1.
        text: the caption or candidate text.
        score: cosine, -1 to 1.
        probability: softmax(logit_scale · cosine) over all candidates, or sigmoid(logit_scale · cosine + logit_bias).
    """

    rank: int
    text: str
    score: float
    probability: float


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
class CaptionsReport:
    """What adding captions did: how many are new, and how many were stored already."""

    added: int
    known: int


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
    """The last `index` run, times in UTC."""

    started_at: datetime
    seconds: float
    found: int
    embedded: int
    reused: int
    unchanged: int
    removed: int
    skipped: int
    finished: bool


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """Counts and sizes of a catalog.

    Attributes:
        directory: where it lies.
        model: name of the model in use, None before the first index run.
        folders: indexed folders.
        files: indexed picture files.
        pictures: different contents among them.
        skipped: files that could not be indexed.
        captions: stored captions.
        database_bytes: SQLite file with its log.
        index_bytes: FAISS snapshots.
        ann: of pictures that a search compares with in part only, see `indexes.ann.Tuning`; None: with all.
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
    ann: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class IndexRate:
    """How fast pictures of one kind are indexed, in pictures a second.

    Attributes:
        what: the kind, in words.
        pictures: how many were measured.
        decode_rate: reading, hashing, decoding and resizing alone, all cores.
        encode_rate: the vision tower alone, all cores.
        bound_rate: what is possible when both share the cores: 1 / (1 / decode_rate + 1 / encode_rate).
        index_rate: all of it, stored.
    """

    what: str
    pictures: int
    decode_rate: float
    encode_rate: float
    bound_rate: float
    index_rate: float

    @property
    def share_of_bound(self) -> float:
        return self.index_rate / self.bound_rate


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What `clipsearch bench` measured.

    Attributes:
        model: its name.
        cores: that this process may use.
        rates: one for each kind of picture.
        peak_memory_bytes: of a process that indexes; None where the system does not tell.
        searched_pictures: in the catalog that was searched.
        search_ms: median of a search in the index alone, exact.
        query_p50_ms: median of `Catalog.search` with words in a running process, words to hits.
        query_p95_ms: 19 of 20 are faster.
        cold_query_s: median of a `clipsearch query` process, from start to end.
    """

    model: str
    cores: int
    rates: tuple[IndexRate, ...]
    peak_memory_bytes: int | None
    searched_pictures: int
    search_ms: float
    query_p50_ms: float
    query_p95_ms: float
    cold_query_s: float


@dataclass(frozen=True, slots=True)
class FetchedPicture:
    """What lies at a URL: taken wherever a picture is, and embedded just like a file with that content.

    Attributes:
        url: as it was asked for, before any redirect.
        content: all bytes, not decoded yet.
    """

    url: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What collecting the garbage of a catalog deleted, or would delete.

    Attributes:
        files: files that are gone, forgotten now.
        pictures: different pictures that no file has any more.
        embeddings: of those pictures, of all models.
        folders: folders that were given up and have no files left.
        index_files: files of the index that nothing used.
        freed_bytes: of the disk; about that many when it was only asked for.
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
class BackupReport:
    """A copy of a catalog's database that was made and checked.

    Attributes:
        path: absolute.
        size_bytes: of the copy.
        pictures: different pictures in it.
        captions: in it.
    """

    path: str
    size_bytes: int
    pictures: int
    captions: int


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A backup that was put in the place of a catalog's content.

    Attributes:
        directory: of the catalog.
        pictures: different pictures in it now.
        captions: in it now.
        kept: the copy of what was there before; None when there was nothing.
        was_upgraded: the backup had an older schema.
    """

    directory: str
    pictures: int
    captions: int
    kept: str | None
    was_upgraded: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a catalog, or worth knowing.

    Attributes:
        severity: "error": answers may be wrong or missing; "warning": they are right, something else is not as it
            should be; "info": nothing is wrong.
        check: what was looked at, such as "pages", "embeddings", "snapshots", "permissions".
        message: what was found, one line.
        remedy: what to do about it, or what happens by itself.
        is_fixed: it was mended.
    """

    severity: Literal["error", "warning", "info"]
    check: str
    message: str
    remedy: str
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What looking through a catalog has found.

    Attributes:
        directory: of the catalog.
        findings: those that were mended first.
        is_full: everything was looked at; else some checks took a sample.
        stored_embeddings: of pictures and captions, of all models.
        checked_embeddings: of these, looked at one by one.
        index_rows: in the index files in use.
        compared_rows: of these, compared with the database.
        copies: files that were kept because something was changed.
        saved_rows: rows by table that could still be read of a damaged database; empty when it was not.
    """

    directory: str
    findings: tuple[Finding, ...]
    is_full: bool
    stored_embeddings: int = 0
    checked_embeddings: int = 0
    index_rows: int = 0
    compared_rows: int = 0
    copies: tuple[str, ...] = ()
    saved_rows: dict[str, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong, or all of it was mended."""
        return all(finding.is_fixed or finding.severity == "info" for finding in self.findings)
