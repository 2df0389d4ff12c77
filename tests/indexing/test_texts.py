"""The pass that reads text in indexed pictures: what it reads, stores, leaves out and takes up again."""

import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from clipsearch import Catalog, ClipSearchNotice
from clipsearch.errors import ImageReadError, MissingExtraError, ModelError, TransientReadError
from clipsearch.indexing import kinds, texts
from clipsearch.ocr import models
from clipsearch.ocr.lines import TextLine
from clipsearch.ocr.look import ReadImage, look_of
from clipsearch.store import Store
from tests.support.command_line import fail, run

BOX = (0.1, 0.2, 0.3, 0.4)
MADE = models.OcrModels("made", Path("x"), (models.Recogniser(Path("x")),), Path("x"))


def written(*lines: str) -> Image.Image:
    image = Image.new("RGB", (640, 400), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((20, 20 + 80 * number), line, "black", ImageFont.load_default(36))
    return image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    written("Invoice 4711", "Total amount").save(folder / "invoice.png")
    written("Platform nine").save(folder / "sign.png")
    Image.new("RGB", (64, 64), "red").save(folder / "red.png")
    return folder


@pytest.fixture
def catalog(tmp_path: Path, photos: Path, colours):
    with Catalog.open(tmp_path / "catalog", model="colours", create=True) as opened:
        opened.index(photos)
        yield opened


def text_of(catalog: Catalog, name: str) -> list[str]:
    (hit,) = catalog.search(f"path:{name}")
    return [line.text for line in catalog.pictures.text(hit.content_id)]


class Reading:
    """Stands for the worker pool: text by the name of the file, or what reading it raises."""

    def __init__(self, monkeypatch, lines):
        self.asked: list[str] = []
        self.lines = lines
        monkeypatch.setattr(texts, "WorkerPool", lambda *arguments, **options: self)
        monkeypatch.setattr(models, "bundled_models", lambda: MADE)
        monkeypatch.setattr(texts, "bundled_models", lambda: MADE)

    @contextmanager
    def open_path(self, path):
        if not path.endswith("sample.png"):  # by which it is found out whether anything can be read
            self.asked.append(Path(path).name)
        from blake3 import blake3

        self.blake3, self.name = blake3(Path(path).read_bytes()).digest(), Path(path).name
        yield _Picture(self.blake3, self.lines.get(self.name, ("Invoice",) if self.name == "sample.png" else ()))

    def close(self):
        pass


class _Picture:
    def __init__(self, blake3, lines):
        self.blake3, self.lines = blake3, lines

    def read_text(self, models, part=None):
        if isinstance(self.lines, Exception):
            raise self.lines
        return ReadImage(tuple(TextLine(text, 0.99, BOX) for text in self.lines), None)


def test_text_is_read_once(catalog, photos):
    pytest.importorskip("rapidocr", reason="rapidocr is not installed: pip install -e '.[ocr]'")
    seen = []
    report = catalog.admin.read_texts(on_progress=lambda *counts: seen.append(counts))
    assert (report.read, report.with_text, report.left, report.skipped) == (3, 2, 0, ())
    assert seen[-1] == (3, 3)
    assert text_of(catalog, "invoice") == ["Invoice 4711", "Total amount"] and text_of(catalog, "red.png") == []
    again = catalog.admin.read_texts()
    assert (again.read, again.with_text, again.left) == (0, 0, 0)
    # From then on each run reads what is new; a copy has been read.
    written("Exit to the museum").save(photos / "exit.png")
    (photos / "copy.png").write_bytes((photos / "sign.png").read_bytes())
    assert catalog.index().texts.read == 1
    assert text_of(catalog, "exit.png") == ["Exit to the museum"]
    assert catalog.index(ocr=False).texts is None


def test_pages_of_a_document_are_read(catalog, photos):
    for module in ("rapidocr", "pypdfium2"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install -e '.[ocr,pdf]'")
    written("Chapter one").save(
        photos / "book.pdf", save_all=True, append_images=[written("Nothing"), written("The end")]
    )
    catalog.index(ocr=True)
    (hit,) = catalog.search("path:book.pdf")
    assert [(line.text, line.page) for line in catalog.pictures.text(hit.content_id)] == [
        ("Chapter one", 1),
        ("Nothing", 2),
        ("The end", 3),
    ]


def test_of_animations_the_first_frame_is_read_and_films_are_not(catalog, photos, monkeypatch):
    frames = [Image.new("RGB", (60, 60), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(photos / "meme.gif", save_all=True, append_images=frames[1:], duration=500)
    catalog.index()
    reading = Reading(monkeypatch, {"meme.gif": ["When it works"]})
    catalog.admin.read_texts()
    assert "meme.gif" in reading.asked and text_of(catalog, "meme.gif") == ["When it works"]


def test_a_run_that_is_stopped_is_taken_up_again(catalog, photos, monkeypatch):
    for number in range(40):
        Image.new("RGB", (20 + number, 20), "blue").save(photos / f"{number}.png")
    catalog.index()
    reading = Reading(monkeypatch, {"sign.png": ["Platform nine"]})
    stop = threading.Event()

    def stop_soon(done: int, to_do: int) -> None:
        if done >= 5:
            stop.set()

    first = catalog.admin.read_texts(on_progress=stop_soon, cancel=stop)
    assert first.interrupted and first.left > 0 and first.read >= 5
    second = catalog.admin.read_texts()
    assert not second.interrupted and first.read + second.read == 43
    assert len(reading.asked) < 43 + 20
    assert text_of(catalog, "sign.png") == ["Platform nine"]


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (ImageReadError("damaged: a row"), False),
        (ImageReadError("12 megapixels", limit=("megapixels", 9)), True),
        (ImageReadError("it took longer than 60 s to decode", limit=("seconds", 60)), False),
        (TransientReadError("not enough memory to decode it"), True),
        (OSError(5, "Input/output error"), True),
        (MemoryError(), True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_can_not_be_read_is_said_and_costs_itself_only(catalog, monkeypatch, error, is_tried_again):
    Reading(monkeypatch, {"sign.png": error, "invoice.png": ["Invoice"]})
    report = catalog.admin.read_texts()
    assert report.with_text == 1 and text_of(catalog, "invoice") == ["Invoice"]
    assert [Path(each.path).name for each in report.skipped] == (
        ["sign.png"] if isinstance(error, ImageReadError) else []
    )
    again = Reading(monkeypatch, {"sign.png": ["Platform"]})
    catalog.admin.read_texts()
    assert again.asked == (["sign.png"] if is_tried_again else [])


def test_a_file_that_has_changed_since_is_left_to_the_next_index_run(catalog, photos, monkeypatch):
    written("Something else").save(photos / "sign.png")
    reading = Reading(monkeypatch, {"sign.png": ["Something else"]})
    assert catalog.admin.read_texts().with_text == 0
    assert text_of(catalog, "sign.png") == []
    catalog.index()
    assert text_of(catalog, "sign.png") == ["Something else"] and reading.asked.count("sign.png") == 2


def test_a_file_that_is_gone_is_left(catalog, photos, monkeypatch, tmp_path):
    Reading(monkeypatch, {})
    (photos / "sign.png").unlink()
    report = catalog.admin.read_texts()
    assert (report.read, report.with_text, report.left) == (2, 0, 1)
    catalog.close()
    assert "text in 0 of 0 pictures looked at in" in run("ocr", "--catalog", tmp_path / "catalog").stdout


def test_what_can_not_be_read_again_keeps_what_was_read(catalog, monkeypatch):
    Reading(monkeypatch, {"sign.png": ["Platform"], "invoice.png": ["Invoice"]})
    catalog.admin.read_texts()
    Reading(monkeypatch, {"sign.png": ImageReadError("damaged"), "invoice.png": ["Other"]})
    assert catalog.admin.read_texts(again=True).with_text == 1
    assert text_of(catalog, "sign.png") == ["Platform"] and text_of(catalog, "invoice") == ["Other"]


def test_a_page_that_can_not_be_read_costs_itself_only(catalog, photos, monkeypatch):
    pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: pip install -e '.[pdf]'")
    pages = [Image.new("RGB", (80, 80), colour) for colour in ("red", "lime", "blue")]
    pages[0].save(photos / "book.pdf", save_all=True, append_images=pages[1:])
    catalog.index()
    Reading(monkeypatch, {"book.pdf": ["text"]})

    def read_text(self, models, part=None):
        if part is not None and part.page == 2:
            raise ImageReadError("damaged: a page")
        return _Picture.plain(self, models, part)

    monkeypatch.setattr(_Picture, "plain", _Picture.read_text, raising=False)
    monkeypatch.setattr(_Picture, "read_text", read_text)
    report = catalog.admin.read_texts()
    assert [each.path.rpartition("/")[2] for each in report.skipped] == ["book.pdf#page=2"]
    (hit,) = catalog.search("path:book.pdf")
    assert [line.page for line in catalog.pictures.text(hit.content_id)] == [1, 3]
    (hit,) = catalog.search("text:text")
    assert hit.part is not None and hit.part.page == hit.line.page == 1


def test_a_reader_that_can_not_be_loaded_stops_the_pass(catalog, photos, monkeypatch):
    Reading(monkeypatch, {"sample.png": TransientReadError("libGL.so.1: cannot open shared object file")})
    with pytest.raises(ModelError, match=r"no text can be read: libGL\.so\.1"):
        catalog.admin.read_texts()


def test_without_the_extra_one_line_says_so(catalog, photos, monkeypatch, tmp_path):
    Reading(monkeypatch, {})
    catalog.admin.read_texts()

    def missing():
        raise MissingExtraError("text in pictures", "rapidocr", "clipsearch[ocr]")

    monkeypatch.setattr(models, "bundled_models", missing)
    with pytest.raises(MissingExtraError, match="text in pictures needs rapidocr"):
        catalog.index(ocr=True)
    Image.new("RGB", (9, 9), "lime").save(photos / "new.png")
    with pytest.warns(ClipSearchNotice, match="no text was looked for in new pictures"):
        report = catalog.index()  # which does not stop for it
    assert report.embedded == 1 and report.texts is None
    catalog.close()
    found = fail("ocr", "--catalog", tmp_path / "catalog", code=1)
    assert "text in pictures needs rapidocr, which is not installed: pip install 'clipsearch[ocr]'" in found


def test_the_command_line_says_how_many_have_text(catalog, photos, monkeypatch, tmp_path):
    Reading(monkeypatch, {"sign.png": ["Platform nine"]})
    catalog.close()
    where = ("--catalog", tmp_path / "catalog")
    assert "text in 1 of 3 pictures looked at in" in run("ocr", *where).stdout
    assert run("ocr", *where).stdout.strip() == "text was looked for in all pictures before"
    assert '"with_text": 0' in run("ocr", "--json", *where).stdout
    assert "text      in 1 of 3 pictures looked at\n" in run("status", *where).stdout
    explained = run("query", "platform nine", "-k", "1", "--explain", *where).stdout
    assert explained.endswith('      read in the picture: "Platform nine" (confidence 0.99)\n')
    Image.new("RGB", (9, 9), "lime").save(photos / "new.png")
    assert "text in 0 of 1 picture looked at in" in run("index", *where).stdout
    assert "looked at" not in run("index", "--no-ocr", *where).stdout
    with Store(tmp_path / "catalog") as store:
        assert store.texts.count() == (4, 1)


@pytest.fixture
def folder_of_models(tmp_path: Path, monkeypatch) -> Path:
    """A folder of models that are only looked at by their names."""
    folder = tmp_path / "greek"
    folder.mkdir()
    (folder / "el_rec.onnx").write_bytes(b"x")
    return folder


def test_named_models_are_those_of_later_passes(catalog, photos, monkeypatch, folder_of_models):
    Reading(monkeypatch, {"sign.png": ["Platform"]})
    catalog.admin.read_texts()
    Image.new("RGB", (9, 9), "lime").save(photos / "new.png")
    catalog.index(ocr=False)
    used = []
    monkeypatch.setattr(
        _Picture,
        "read_text",
        lambda self, models, part=None: used.append(models.name) or ReadImage((TextLine("Exit", 0.99, BOX),), None),
    )
    with pytest.warns(ClipSearchNotice, match="3 pictures were read by other models: --again reads them with these"):
        assert catalog.admin.read_texts(models=folder_of_models).read == 1
    Image.new("RGB", (9, 9), "blue").save(photos / "newer.png")
    catalog.index()
    assert len(set(used)) == 1 and used[0].startswith("greek ")
    assert catalog.admin.read_texts(again=True).read == 5 and len(set(used)) == 1
    # Gone: nothing else reads in their place until that is said.
    (folder_of_models / "el_rec.onnx").unlink()
    Image.new("RGB", (9, 8), "blue").save(photos / "newest.png")
    with pytest.warns(ClipSearchNotice, match=r"'greek [0-9a-f]+', are missing: .* no text was looked for"):
        assert catalog.index().texts is None
    with pytest.raises(ModelError, match="are missing"):
        catalog.index(ocr=True)
    used.clear()
    with pytest.warns(ClipSearchNotice, match="5 pictures were read by other models"):
        assert catalog.admin.read_texts(models="bundled").read == 1
    assert set(used) == {"made"}
    assert catalog.index(ocr=True).texts.read == 0


def test_reading_again_is_taken_up_where_it_was_stopped(catalog, photos, monkeypatch):
    for number in range(40):
        Image.new("RGB", (20 + number, 20), "blue").save(photos / f"{number}.png")
    catalog.index()
    Reading(monkeypatch, {"sign.png": ["Platform"]})
    catalog.admin.read_texts()
    stop = threading.Event()
    reading = Reading(monkeypatch, {"sign.png": ["Other"]})

    def stop_soon(done: int, to_do: int) -> None:
        if done >= 5:
            stop.set()

    first = catalog.admin.read_texts(again=True, on_progress=stop_soon, cancel=stop)
    assert first.interrupted and first.read < 43
    second = catalog.admin.read_texts()
    assert first.read + second.read == 43 and len(reading.asked) < 43 + 20
    assert text_of(catalog, "sign.png") == ["Other"]


def test_models_that_can_not_be_used_change_nothing(catalog, photos, monkeypatch, folder_of_models):
    Reading(monkeypatch, {"sign.png": ["Platform"]})
    catalog.admin.read_texts()
    for error in (TransientReadError("can't load the model el_rec.onnx"), ImageReadError("it took longer than 1 s")):
        Reading(monkeypatch, {"sample.png": error})
        for options in ({"models": folder_of_models}, {"models": folder_of_models, "again": True}, {"again": True}):
            with pytest.raises(ModelError, match="no text can be read"):
                catalog.admin.read_texts(**options)
    Reading(monkeypatch, {"sample.png": ()})
    with pytest.raises(ModelError, match="the models find none in a page of words"):
        catalog.admin.read_texts(models=folder_of_models)
    reading = Reading(monkeypatch, {})
    assert catalog.admin.read_texts().read == 0 and reading.asked == []
    with Store(catalog.directory) as store:
        assert store.texts.models() is None and store.texts.count_of_others(reader="made") == 0


def test_models_of_another_kind_are_said_at_once(catalog, tmp_path):
    pytest.importorskip("rapidocr", reason="rapidocr is not installed: pip install -e '.[ocr]'")
    bundled = models.bundled_models()
    recogniser = bundled.recognisers[0].model
    for role, file in (("cls", recogniser), ("det", bundled.turns), ("det", recogniser)):
        folder = tmp_path / f"{role}{file.stem}"
        folder.mkdir()
        (folder / "rec.onnx").symlink_to(recogniser)
        (folder / f"{role}.onnx").symlink_to(file)
        with pytest.raises(ModelError, match="no text can be read: "):
            catalog.admin.read_texts(models=folder)


def test_the_kind_is_that_of_the_first_page_with_lines(catalog, photos, monkeypatch):
    pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed: pip install -e '.[pdf]'")
    pages = [Image.new("RGB", (80, 80), colour) for colour in ("red", "lime", "blue")]
    pages[0].save(photos / "book.pdf", save_all=True, append_images=pages[1:])
    catalog.index()
    Reading(monkeypatch, {"book.pdf": ["text"], "sign.png": ["sign"]})
    told = []
    monkeypatch.setattr(kinds, "kind_of", lambda picture, relevances: told.append(picture) or "document")
    look = look_of(pages[0], [TextLine("x", 0.9, BOX)])

    def read_text(self, models, part=None):
        page = 0 if part is None else part.page
        return ReadImage((TextLine(f"page {page}", 0.99, BOX),), look if page >= 2 else None)

    monkeypatch.setattr(_Picture, "read_text", read_text)
    catalog.admin.read_texts()
    (book,) = [each for each in told if each.has_pages]
    assert [line.text for line in book.lines] == ["page 2"] and book.look == look
    assert len(catalog.search("kind:document", top_k=10)) == 4


def test_bad_models_are_one_line(catalog, tmp_path, monkeypatch):
    Reading(monkeypatch, {})
    catalog.close()
    where = ("--catalog", tmp_path / "catalog")
    assert "no folder of models" in fail("ocr", "--models", tmp_path / "x", *where, code=2)
    assert 'has no model that reads lines of text: a file *.onnx with "rec"' in fail(
        "ocr", "--models", tmp_path / "photos", *where, code=2
    )
