"""Render lists of models: those supported, with what each finds and costs, and those recommended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipsearch.cli.render import out, print_processor, printable
from clipsearch.quantities import count, size
from clipsearch.types import ModelInfo

if TYPE_CHECKING:
    from clipsearch.encoders.machine import Machine
    from clipsearch.encoders.recommend import Recommendation

_LEGEND = (
    "recall    published recall@1 of texts among 5,000 pictures of COCO, in percent; blank: unknown",
    "index     bytes that a picture takes in the index: its embedding in float16, and its number",
    "ms        for a picture in bulk on this machine, measured when the model was compiled",
    "here      downloaded; in its place the precision in which a compiled model runs: f32, bf16 or int8",
)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the list; attributes as in `KnownModel`, None where unknown.

    Attributes:
        size_bytes: of the download, of the starter's files.
        is_here: on this machine; None for a model of the catalog that is not a known one.
        image_ms: see `openvino.timing`.
        precision: in which it runs on the CPU here.
    """

    name: str
    description: str
    dim: int | None
    recall: float | None
    languages: str | None
    licence: str | None
    size_bytes: int | None
    is_here: bool | None
    is_default: bool
    image_ms: float | None
    precision: str | None = None

    @property
    def index_bytes(self) -> int | None:
        from clipsearch.encoders.hub.known_models import index_bytes

        return None if self.dim is None else index_bytes(self.dim)


def find_rows(used: Mapping[str, ModelInfo]) -> list[ModelRow]:
    """Return the known models, the best recall first, then the starter, then others of a catalog.

    Args:
        used: the catalog's models by name.
    """
    from clipsearch.encoders.hub import hub
    from clipsearch.encoders.hub.known_models import DEFAULT_MODEL, KNOWN_MODELS
    from clipsearch.encoders.load import STARTER_DIM, STARTER_DIRECTORY, find_precision
    from clipsearch.encoders.openvino.cache import find_image_ms
    from clipsearch.settings import STARTER, with_environment
    from clipsearch.types import ModelOptions

    rows = []
    for known in KNOWN_MODELS:
        cached = hub.find_cached(known.name)
        precision = None if cached is None else find_precision(with_environment(ModelOptions(known.name)))
        rows.append(
            ModelRow(
                name=known.name,
                description=known.description,
                dim=known.dim,
                recall=known.recall,
                languages=known.languages,
                licence=known.licence,
                size_bytes=known.size_bytes,
                is_here=cached is not None,
                is_default=known.name == DEFAULT_MODEL,
                image_ms=None if cached is None else find_image_ms(cached),
                precision=precision,
            )
        )
    starter_bytes = sum(file.stat().st_size for file in STARTER_DIRECTORY.iterdir())
    bundled = "bundled; small, less accurate than CLIP"
    precision = find_precision(with_environment(ModelOptions(STARTER)))
    rows.append(
        ModelRow(STARTER, bundled, STARTER_DIM, None, "English", None, starter_bytes, True, False, None, precision)
    )
    listed = {row.name for row in rows}
    rows += [
        ModelRow(name, "", info.dim, None, None, None, None, None, False, None)
        for name, info in used.items()
        if name not in listed
    ]
    return rows


def rows_json(rows: Sequence[ModelRow], used: Mapping[str, ModelInfo]) -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "size_bytes": row.size_bytes,
            "is_here": row.is_here,
            "description": row.description,
            "recall": row.recall,
            "languages": row.languages,
            "licence": row.licence,
            "dim": row.dim,
            "index_bytes": row.index_bytes,
            "image_ms": row.image_ms,
            "precision": row.precision,
            "is_default": row.is_default,
            "is_current": row.name in used and used[row.name].is_current,
            "pictures": used[row.name].images if row.name in used else 0,
            "captions": used[row.name].captions if row.name in used else 0,
        }
        for row in rows
    ]


def print_rows(rows: Sequence[ModelRow], used: Mapping[str, ModelInfo]) -> None:
    """Print the table, at most 100 columns wide unless a name is longer, and what its columns are."""
    out(_line("", "model", "recall", "languages", "licence", "download", "index", "ms", ""))
    for row in rows:
        is_current = row.name in used and used[row.name].is_current
        size_text = "" if row.size_bytes is None else size(row.size_bytes)
        out(
            _line(
                ("*" if is_current else " ") + ("+" if row.is_default else ""),
                printable(row.name),
                "" if row.recall is None else f"{row.recall:.1f}",
                row.languages or "",
                row.licence or "",
                size_text,
                "" if row.index_bytes is None else f"{row.index_bytes:,}",
                "" if row.image_ms is None else milliseconds(row.image_ms),
                row.precision or ("here" if row.is_here else ""),
            )
        )
    out()
    for line in _LEGEND:
        out(line)
    out("+         the default of a new catalog")
    if any(model.is_current for model in used.values()):
        out("*         the model of this catalog")
    for model in used.values():
        out(f"{count(model.images, 'picture')} in this catalog with {printable(model.name)}")
    out("Any other dual encoder in safetensors can be named by its hub id or directory.")


def _line(
    mark: str, name: str, recall: str, languages: str, licence: str, download: str, index: str, ms: str, here: str
) -> str:
    cells = f"{mark:<2} {name:<38} {recall:>6}  {languages:<9} {licence:<10} {download:>8} {index:>7} {ms:>6}  {here}"
    return cells.rstrip()


def milliseconds(image_ms: float) -> str:
    """Format milliseconds with three significant digits at most."""
    return f"{image_ms:.0f}" if image_ms >= 100 else f"{image_ms:.1f}" if image_ms >= 1 else f"{image_ms:.2f}"


def machine_json(machine: "Machine") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(machine)


def recommendations_json(found: Sequence["Recommendation"]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [{**asdict(one), "hours_for_100000": one.hours} for one in found]


def print_recommendations(machine: "Machine", found: Sequence["Recommendation"]) -> None:
    """Print the machine in two lines, and each model in a paragraph."""
    print_processor(machine.processor, machine.cores, machine.features)
    known = [
        f"GPU {printable(machine.gpu)}" if machine.gpu else "no GPU",
        f"arithmetic in {machine.precision}",
        "" if machine.memory_bytes is None else f"{size(machine.memory_bytes)} of memory available",
        "" if machine.disk_bytes is None else f"{size(machine.disk_bytes)} free for models",
    ]
    out(", ".join(filter(None, known)))
    for one in found:
        out()
        out(f"{one.use}: {one.name}")
        out(f"  {one.reason}")
        out(f"  {', '.join(_facts(one))}")
        for command in one.commands:
            out(f"  $ {command}")
    out()
    out("Hours are those of embedding alone, without decoding.")
    out("For a new catalog: clipsearch index FOLDER --model NAME")


def _facts(one: "Recommendation") -> list[str]:
    facts = [] if one.recall is None else [f"recall {one.recall:.1f}"]
    facts.append(f"languages: {one.languages}")
    if one.image_ms is not None and one.hours is not None:
        how = "measured" if one.is_measured else "estimated"
        facts.append(f"{milliseconds(one.image_ms)} ms a picture, {one.hours:.1f} hours for 100,000 ({how})")
    facts.append(f"download {size(one.download_bytes)}" if one.download_bytes else "already here")
    return facts


@dataclass(frozen=True, slots=True)
class Gain:
    """What a switch from one model to another gave; attributes are None for models that are not known ones.

    Attributes:
        before: model before the switch; None for a catalog without one.
        recall_before: published recall of each model, as in `KnownModel`, like the languages.
        pictures: in the catalog that the new model has embedded.
    """

    before: str | None
    after: str
    recall_before: float | None
    recall_after: float | None
    languages_before: str | None
    languages_after: str | None
    pictures: int


def find_gain(before: str | None, after: str, models: Sequence[ModelInfo]) -> Gain:
    """Compare two models by name; `models` are the catalog's."""
    from clipsearch.encoders.hub.known_models import find_known

    first, second = None if before is None else find_known(before), find_known(after)
    return Gain(
        before=before,
        after=after,
        recall_before=None if first is None else first.recall,
        recall_after=None if second is None else second.recall,
        languages_before=None if first is None else first.languages,
        languages_after=None if second is None else second.languages,
        pictures=next((model.images for model in models if model.name == after), 0),
    )


def print_gain(gain: Gain) -> None:
    """Print what a switch gave, in one line; nothing when the model is the same."""
    if gain.before is None or gain.before == gain.after:
        return
    recalls = ["unknown" if part is None else f"{part:.1f}" for part in (gain.recall_before, gain.recall_after)]
    languages = [part or "unknown" for part in (gain.languages_before, gain.languages_after)]
    out(f"published recall {' → '.join(recalls)}, languages {' → '.join(languages)}, {count(gain.pictures, 'picture')}")
