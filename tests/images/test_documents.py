"""Pages of PDF documents are rendered within bounds, and damaged ones have a reason."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.errors import ImageReadError, InputError
from clipsearch.images.documents import page_count, render_page
from tests.support.make_hostile import draw_scene

pytest.importorskip("pypdfium2", reason="needs the extra pdf")


def pdf(*pages: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pages[0].save(buffer, "PDF", save_all=True, append_images=list(pages[1:]))
    return buffer.getvalue()


def drawn(body: bytes, box: str = "0 0 200 100", extra: str = "") -> bytes:
    """A document of one page, which is drawn by operators."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R{extra}>>".encode(),
        b"<</Length %d>>stream\n%s\nendstream" % (len(body), body),
    ]
    content = b"%PDF-1.4\n"
    for number, each in enumerate(objects, start=1):
        content += b"%d 0 obj%s endobj\n" % (number, each)
    return content + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


RED_LEFT = b"1 0 0 rg 0 0 100 100 re f"


def test_pages_are_counted_and_rendered_in_order(tmp_path: Path) -> None:
    content = pdf(Image.new("RGB", (80, 40), "red"), Image.new("RGB", (40, 80), "lime"))
    path = tmp_path / "two.pdf"
    path.write_bytes(content)
    for source in (content, path, str(path), io.BytesIO(content)):
        assert page_count(source) == 2
        pages = [render_page(source, page, 64) for page in (0, 1)]
        assert [(page.mode, page.size) for page in pages] == [("RGB", (64, 32)), ("RGB", (32, 64))]
        assert [page.getpixel((16, 16)) for page in pages] == [(254, 0, 0), (0, 255, 1)]


def test_a_page_is_upright_and_on_white() -> None:
    page = render_page(drawn(RED_LEFT), 0, 100)
    assert [page.getpixel((x, 25)) for x in (20, 80)] == [(255, 0, 0), (255, 255, 255)]
    turned = render_page(drawn(RED_LEFT, extra="/Rotate 90"), 0, 100)
    assert turned.size == (50, 100)
    assert [turned.getpixel((25, y)) for y in (20, 80)] == [(255, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.4\n", "damaged"),
        (b"no document", "damaged"),
        (pdf(draw_scene(48, 32))[:300], "damaged"),
        (drawn(RED_LEFT, "0 0 1 100000"), "too long for its width"),
    ],
)
def test_what_can_not_be_rendered_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageReadError, match=reason):
        render_page(content, 0, 64)


def test_pages_and_sides_are_checked() -> None:
    content = drawn(RED_LEFT)
    for page in (-1, 1, 1 << 40):
        with pytest.raises(InputError, match="no page"):
            render_page(content, page, 64)
    for side in (0, -5, 100_000):
        with pytest.raises(InputError, match="the side of a page"):
            render_page(content, 0, side)
    for box in ("0 0 14400 14400", "0 0 0.001 0.001", "0 0 1e30 1e30"):
        assert max(render_page(drawn(RED_LEFT, box), 0, 64).size) == 64


def test_threads_take_turns() -> None:
    content = pdf(draw_scene(400, 300))
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: render_page(content, 0, 200).tobytes(), range(20)))
    assert len(set(pages)) == 1


DAMAGE = """
import random, sys
from clipsearch.errors import ImageReadError
from clipsearch.images.documents import page_count, render_page
content, seed = sys.stdin.buffer.read(), int(sys.argv[1])
for number in range(seed, seed + int(sys.argv[2])):
    chance = random.Random(number)
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 12)):
        place = chance.randrange(len(damaged))
        if chance.random() < 0.3:
            del damaged[place : place + chance.randint(1, 60)]
        else:
            damaged[place] = chance.choice([0, 32, 48, 57, 60, 62, 255, chance.randrange(256)])
    print(number, flush=True)
    try:
        assert page_count(bytes(damaged)) > 0
        assert max(render_page(bytes(damaged), 0, 64).size) == 64
    except ImageReadError as error:
        assert 0 < len(str(error)) < 200
print("done")
"""


@pytest.mark.parametrize("content", [drawn(RED_LEFT), pdf(draw_scene(48, 32))], ids=["operators", "picture"])
def test_damaged_documents_are_rendered_or_have_a_reason(content: bytes) -> None:
    command = [sys.executable, "-c", DAMAGE, "0", "150"]
    result = subprocess.run(command, input=content, capture_output=True, check=False)
    assert result.stdout.split()[-1] == b"done", result.stderr
