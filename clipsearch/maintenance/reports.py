"""Records of what checks, backups and restores found and did."""

from dataclasses import dataclass, field
from typing import Literal


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
        unnamed: its indexed folders that were never named on this machine: they don't count, and their pictures are not
            found, until `index` names them.
    """

    directory: str
    pictures: int
    captions: int
    kept: str | None
    was_upgraded: bool
    unnamed: tuple[str, ...] = ()


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
        picture_files: indexed files, when files were to be compared with their hashes.
        compared_files: of these, read and compared.
        is_interrupted: stopped by the user while files were compared.
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
    picture_files: int = 0
    compared_files: int = 0
    is_interrupted: bool = False

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong, or all of it was mended."""
        return all(finding.is_fixed or finding.severity == "info" for finding in self.findings)
