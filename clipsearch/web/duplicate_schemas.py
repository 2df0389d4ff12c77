"""Define the requests and responses of the API of duplicates."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from clipsearch.gallery.duplicates import ComparedProperty, MarkedFiles
from clipsearch.web.duplicate_search import DuplicateStatus
from clipsearch.web.duplicate_view import DuplicateFilter, DuplicatePage, KindFilter, ShownFile, ShownGroup

Mark = Annotated[str, Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}$", description="`mark` of a file.", examples=["12.1"])]


class DuplicateFile(BaseModel):
    mark: str = Field(description="Names the file for `changed`, in this result.")
    id: int = Field(description="Content id of the picture.")
    path: str
    kind: Literal["best", "exact", "copy", "similar"] = Field(description="Relation to the best one.")
    width: int
    height: int
    size_bytes: int
    score: float = Field(description="Cosine to the best one.")
    is_there: bool = Field(description="false: its file is missing, or has another size, since it was compared.")
    is_spare: bool = Field(description="Is in the list to remove, unless it is in `changed`.")

    @classmethod
    def of(cls, shown: ShownFile) -> "DuplicateFile":
        file = shown.picture
        return cls(
            mark=shown.mark,
            id=file.content_id,
            path=file.path.encode("utf-8", "replace").decode(),
            kind=file.kind,
            width=file.width,
            height=file.height,
            size_bytes=file.size_bytes,
            score=file.score,
            is_there=shown.is_there,
            is_spare=shown.is_spare,
        )


class Property(BaseModel):
    name: str = Field(examples=["pixels"])
    values: list[str] = Field(description="Of each file that the catalog still has, in order; empty: unknown.")

    @classmethod
    def of(cls, found: ComparedProperty) -> "Property":
        return cls(name=found.name, values=[each.encode("utf-8", "replace").decode() for each in found.values])


class Group(BaseModel):
    kind: Literal["exact", "copy", "similar"]
    best: int = Field(description="Content id of the file to keep, the first one.")
    reason: str = Field(description="Why it is the best.", examples=["most pixels, then largest file"])
    spare_bytes: int = Field(description="Of the files that can be removed without loss.")
    files: list[DuplicateFile] = Field(description="The first ones, the best before the others.")
    left_out: int = Field(description="Number of files that are not in `files`.")
    differs: list[Property] = Field(description="What differs between the files.")

    @classmethod
    def of(cls, shown: ShownGroup) -> "Group":
        return cls(
            kind=shown.group.kind,
            best=shown.group.best.content_id,
            reason=shown.group.reason,
            spare_bytes=shown.group.spare_bytes,
            files=[DuplicateFile.of(file) for file in shown.files],
            left_out=shown.left_out,
            differs=[Property.of(each) for each in shown.differing],
        )


class Duplicates(BaseModel):
    state: Literal["idle", "running", "done", "failed"] = Field(
        description="running: the groups are exact duplicates only, or those of the search before."
    )
    done: int = Field(description="Pictures of the current step, of which a search has several.")
    to_do: int
    error: str
    result: str | None = Field(description="Names the groups that `mark` and `next` are of; null: none yet.")
    is_outdated: bool = Field(description="The catalog has changed since: `POST /api/duplicates` looks again.")
    group_count: int
    spare_count: int = Field(description="Number of files of all groups that can be removed without loss.")
    spare_bytes: int
    groups: list[Group]
    next: str | None = Field(description="Cursor of the next page, for `after`; null for the last one.")

    @classmethod
    def of(cls, status: DuplicateStatus, page: DuplicatePage, *, is_outdated: bool) -> "Duplicates":
        return cls(
            state=status.state,
            done=status.done,
            to_do=status.to_do,
            error=status.error,
            result=None if status.found is None else status.found.token,
            is_outdated=is_outdated,
            group_count=page.group_count,
            spare_count=page.spare_count,
            spare_bytes=page.spare_bytes,
            groups=[Group.of(each) for each in page.groups],
            next=page.next,
        )


class Started(BaseModel):
    state: Literal["idle", "running", "done", "failed"]


class Marks(BaseModel):
    model_config = ConfigDict(extra="forbid")

    result: str = Field(max_length=40, description="`result` of the groups.")
    changed: list[Mark] = Field(
        default_factory=list,
        max_length=20_000,
        description="Spare files to keep, and others to remove. One of each group has to be kept.",
    )
    kind: KindFilter = Field(default="", description="As in `GET /api/duplicates`, like `folder` and `id`.")
    folder: str = Field(default="", max_length=4000)
    id: int = Field(default=0, ge=0, le=1 << 62, strict=True)

    @property
    def filter(self) -> DuplicateFilter:
        return DuplicateFilter(self.kind, self.folder.strip(), self.id)


class ListMarks(Marks):
    end: Literal["line", "nul"] = Field(default="line", description="nul: paths end with NUL, as for `xargs -0`.")


class AlbumMarks(Marks):
    album: str = Field(min_length=1, max_length=200, examples=["to delete"])


class Marked(BaseModel):
    files: int
    size_bytes: int

    @classmethod
    def of(cls, marked: MarkedFiles) -> "Marked":
        return cls(files=len(marked.files), size_bytes=marked.size_bytes)


class MarkedAlbum(BaseModel):
    album: str
    added: int = Field(description="Number of pictures that were not in it before.")
    left_out: int = Field(
        description="Number of marked pictures that are not added, as an identical file is kept: an album has no files."
    )
