"""Describe parts of pictures in the HTTP API: scenes, pages and crops, and lines of text."""

from pydantic import BaseModel, Field

from clipsearch.ocr.lines import TextLine
from clipsearch.parts import Part, PartKind


class PartOf(BaseModel):
    """The part of a content that matches best: a scene, a page or a crop."""

    kind: PartKind
    fragment: str = Field(description="For `part` of a thumbnail, and after the path.", examples=["t=83.5", "page=3"])
    page: int | None = Field(default=None, ge=1)
    start_s: float | None = Field(default=None, ge=0)
    end_s: float | None = Field(default=None, ge=0)
    box: tuple[float, float, float, float] | None = Field(
        default=None, description="Left, top, right and bottom edge as shares of the upright picture."
    )

    @classmethod
    def of(cls, part: Part) -> "PartOf":
        return cls(fragment=part.fragment, **part.to_json())


class Line(BaseModel):
    """A line of text that was read in a picture."""

    text: str
    confidence: float = Field(ge=0, le=1, description="Mean probability of its characters.")
    script: str = Field(description="Script of most letters, as Unicode names it; empty without letters.")
    page: int | None = Field(default=None, ge=1, description="Of a document.")
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right and bottom edge as shares of the upright picture."
    )

    @classmethod
    def of(cls, line: TextLine) -> "Line":
        return cls(text=line.text, confidence=line.confidence, script=line.script, page=line.page, box=line.box)
