"""Models that read text, in a folder that the user names."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from clipsearch.errors import InputError, ModelError
from clipsearch.ocr import models
from clipsearch.ocr.models import OcrModels, Recogniser, bundled_models, find_models, models_in
from clipsearch.ocr.reader import TextReader

if importlib.util.find_spec("rapidocr") is None:
    pytest.skip("rapidocr is not installed: pip install -e '.[ocr]'", allow_module_level=True)

LATIN, CYRILLIC = "abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстуввхуз"


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def names_of(found: OcrModels) -> tuple[str, list[tuple[str, str | None]], str]:
    own = [(each.model.name, each.characters and each.characters.name) for each in found.recognisers[1:]]
    return found.detector.name, own, found.turns.name


def test_models_are_found_by_their_names(tmp_path):
    bundled = bundled_models()
    folder = touch(tmp_path / "m", "cyrillic_PP-OCRv5_rec_mobile.onnx", "cyrillic_dict.txt", "README.txt", "x.bin")
    found = models_in(folder)
    own = [("cyrillic_PP-OCRv5_rec_mobile.onnx", "cyrillic_dict.txt")]
    assert names_of(found) == (bundled.detector.name, own, bundled.turns.name)
    assert found.recognisers[0] == bundled.recognisers[0]
    # Characters of the same name come first, and those of several models are not guessed.
    touch(folder, "greek_rec.onnx", "greek_rec.txt", "ppocr_keys.txt", "en_det.onnx", "my.cls.onnx", "recent.onnx")
    own = [("cyrillic_PP-OCRv5_rec_mobile.onnx", None), ("greek_rec.onnx", "greek_rec.txt")]
    assert names_of(models_in(str(folder))) == ("en_det.onnx", own, "my.cls.onnx")


def test_the_name_says_which_files_they_are(tmp_path):
    folder = touch(tmp_path / "m", "rec.onnx", "dict.txt")
    first = models_in(folder).name
    assert first.startswith("m ") and models_in(folder).name == first
    (folder / "dict.txt").write_text("y")
    assert models_in(folder).name != first


def test_one_list_is_not_that_of_several_models(tmp_path):
    folder = touch(tmp_path / "m", "en_rec.onnx", "japan_rec.onnx", "japan_dict.txt")
    assert [each.characters for each in models_in(folder).recognisers[1:]] == [None, None]


def test_the_name_tells_roles_apart_and_is_that_of_the_folder(tmp_path, monkeypatch):
    first, second = touch(tmp_path / "m", "a_rec.onnx"), tmp_path / "m" / ".." / "m"
    name = models_in(first).name
    (first / "a_rec.onnx").rename(first / "b_rec.onnx")
    assert models_in(first).name != name and models_in(second) == models_in(first)
    (first / "below").mkdir()
    monkeypatch.chdir(first / "below")
    assert models_in("..").name.startswith("m ")


def test_what_is_too_large_for_a_model_is_not_read(tmp_path):
    folder = touch(tmp_path / "m", "rec.onnx")
    with (folder / "rec.onnx").open("r+b") as file:
        file.truncate(10 << 30)
    with pytest.raises(InputError, match=r"rec\.onnx is too large for a model that reads text"):
        models_in(folder)
    with pytest.raises(InputError, match="no folder of models"):
        models_in("")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), 'has no model that reads lines of text: a file *.onnx with "rec" in its name'),
        (("det.onnx", "rec.txt", "record.onnx", "rec_det.onnx"), "has no model that reads lines"),
        (("rec.onnx", "a_det.onnx", "b_det.onnx"), "has several models det: a_det.onnx, b_det.onnx"),
    ],
    ids=["empty", "without", "several"],
)
def test_a_folder_without_usable_models_is_said(tmp_path, files, message):
    with pytest.raises(InputError) as caught:
        models_in(touch(tmp_path / "m", *files))
    assert message in str(caught.value)
    with pytest.raises(InputError, match="no folder of models"):
        models_in(tmp_path / "missing")


def test_stored_names_open_only_folders_that_the_user_has_named(tmp_path):
    folder = touch(tmp_path / "m", "rec.onnx")
    name = models_in(folder).name
    with pytest.raises(ModelError, match=r"'m [0-9a-f]{12}', are missing: clipsearch ocr --models FOLDER"):
        find_models(name)
    models.remember_folder(folder)
    assert find_models(name) == models_in(folder) and find_models(None) == bundled_models()
    (folder / "rec.onnx").write_bytes(b"another")
    with pytest.raises(ModelError, match="are missing"):
        find_models(name)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="are missing"):
        find_models(name)


def test_models_are_packed_for_another_process(tmp_path):
    found = models_in(touch(tmp_path / "m", "a_rec.onnx", "a_rec.txt", "b_rec.onnx"))
    assert models.unpack_models(models.pack_models(found)) == found


@pytest.fixture(scope="module")
def characters() -> list[str]:
    """Characters of the model of the package, in its order."""
    from clipsearch.openvino_loader import import_openvino

    model = import_openvino().Core().read_model(str(bundled_models().recognisers[0].model))
    return model.get_rt_info(["framework", "character"]).value.splitlines()


def reader_with(tmp_path: Path, characters: list[str] | None, *, newline: str = "\n") -> TextReader:
    listed = None
    if characters is not None:
        listed = tmp_path / "own.txt"
        listed.write_text(newline.join([*characters, ""]), encoding="utf-8", newline="")
    bundled = bundled_models()
    return TextReader(replace(bundled, recognisers=(Recogniser(bundled.recognisers[0].model, listed),)))


def said(reader: TextReader, text: str) -> list[str]:
    image = Image.new("RGB", (800, 400), "white")
    ImageDraw.Draw(image).text((30, 30), text, "black", ImageFont.load_default(36))
    return [line.text for line in reader.read(image).lines]


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_the_list_of_characters_is_what_is_read(tmp_path, characters, newline):
    turned = [CYRILLIC[LATIN.index(each)] if each in LATIN else each for each in characters]
    assert said(reader_with(tmp_path, turned, newline=newline), "platform seven") == ["платформ севен"]


def test_a_list_without_its_last_blank_is_one(tmp_path, characters):
    assert said(reader_with(tmp_path, characters), "platform seven") == ["platform seven"]


@pytest.mark.parametrize("change", [-2, 3], ids=["few", "many"])
def test_a_list_of_another_model_is_said(tmp_path, characters, change):
    others = characters[:change] if change < 0 else [*characters, "x", "y", "z"]
    with pytest.raises(ModelError, match=rf"reads 18,708 characters, but {len(others):,} are listed in .*own\.txt"):
        reader_with(tmp_path, others)


def test_a_model_that_says_no_characters_needs_a_list(tmp_path):
    bundled = bundled_models()
    with pytest.raises(ModelError, match=r"does not say which characters it reads: .* the ending \.txt"):
        TextReader(replace(bundled, recognisers=(Recogniser(bundled.turns),)))
    damaged = tmp_path / "own.txt"
    damaged.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ModelError, match="can't read the list of characters"):
        TextReader(replace(bundled, recognisers=(Recogniser(bundled.turns, damaged),)))
