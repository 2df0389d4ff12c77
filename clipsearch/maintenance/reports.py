"""Reports of checks, backups and restores."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class BackupReport:
    """Report of a backup, which was checked.

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
    """Report of a restore.

    Attributes:
        directory: of the catalog.
        pictures: different pictures in it now.
        captions: in it now.
        kept: the copy of the previous content; None when there was none.
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
        severity: "error": answers may be wrong or missing; "warning": answers are right, something else is wrong;
            "info": nothing is wrong.
        check: what was checked, such as "pages", "embeddings", "snapshots", "permissions".
        message: what was found, one line.
        remedy: what to do about it, or what happens by itself.
        is_fixed: it was repaired.
    """

    severity: Literal["error", "warning", "info"]
    check: str
    message: str
    remedy: str
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Report of a check.

    Attributes:
        directory: of the catalog.
        findings: those that were repaired first.
        is_full: everything was checked; else some checks took a sample.
        stored_embeddings: of pictures and captions, of all models.
        checked_embeddings: of these, checked one by one.
        index_rows: in the index files in use.
        compared_rows: of these, compared with the database.
        copies: files that were kept because something was changed.
        saved_rows: number of rows, by table, saved from a damaged database; empty when it was not damaged.
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
        """Whether nothing is wrong, or all of it was repaired."""
        return all(finding.is_fixed or finding.severity == "info" for finding in self.findings)
