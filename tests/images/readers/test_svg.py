"""Drawings are drawn from their own file alone, whatever it says."""

import base64
import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from clipsearch.errors import ImageReadError
from clipsearch.images.decode import decode_image, read_header

pytest.importorskip("resvg_py", reason="needs the extra svg")

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 20 10">{}</svg>'
RED = '<rect width="20" height="10" fill="red"/>'
WHITE = (255, 255, 255)


def drawn(content: str | bytes, suffix: str = ".svg") -> Image.Image:
    return decode_image(content if isinstance(content, bytes) else content.encode(), suffix=suffix).image


def test_a_drawing_is_as_large_as_the_model_and_the_page_need() -> None:
    content = SVG.format('<rect width="10" height="10" fill="red"/>').encode()
    decoded = decode_image(content, suffix=".svg")
    assert decoded.image.size == (1024, 512)
    assert [decoded.image.getpixel((x, 250)) for x in (100, 900)] == [(255, 0, 0), WHITE]
    assert read_header(content, suffix=".svg") == decoded.metadata
    assert decoded.metadata.format == "SVG"


def test_drawings_are_told_by_suffix_and_root() -> None:
    prolog = '<?xml version="1.0"?>\n<!-- a comment -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">\n'
    content = (prolog + SVG.format(RED)).encode()
    assert drawn(content).getpixel((9, 9)) == (255, 0, 0)
    assert drawn(gzip.compress(content), ".svgz").getpixel((9, 9)) == (255, 0, 0)
    assert drawn(("\ufeff" + SVG.format(RED)).encode("utf-16-le")).getpixel((9, 9)) == (255, 0, 0)
    for other in (b"<html></html>", b"<", b"<svgx/>", content.replace(b"<svg", b"<gvs")):
        with pytest.raises(ImageReadError, match=r"not a picture of a kind|damaged"):
            drawn(other)
    with pytest.raises(ImageReadError, match="not a picture of a kind"):
        decode_image(content)  # text of any kind may begin so


@pytest.mark.parametrize("attribute", ["href", "xlink:href"])
@pytest.mark.parametrize("element", ["image", "feImage", "use"])
def test_no_other_file_is_opened(element: str, attribute: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (8, 8), "red").save(other)
    monkeypatch.chdir(tmp_path)
    inner = SVG.format(f'<image href="{other}" width="20" height="10"/>')
    for reference in (str(other), other.as_uri(), "other.png", "./other.png", " other.png", "http://localhost/a.png",
                      "data:image/svg+xml;base64," + base64.b64encode(inner.encode()).decode()):  # fmt: skip
        shown = f'<{element} {attribute}="{reference}" width="20" height="10"/>'
        if element == "feImage":
            shown = f'<filter id="f">{shown}</filter><rect width="20" height="10" filter="url(#f)"/>'
        assert drawn(SVG.format(shown)).getpixel((500, 250)) == WHITE


def test_what_lies_in_the_file_is_shown() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    image = f'<image href="data:image/png;base64,{data}" width="20" height="10" preserveAspectRatio="none"/>'
    assert drawn(SVG.format(image)).getpixel((500, 250)) == (255, 0, 0)
    used = f'<defs><g id="a">{RED}</g></defs><use xlink:href="#a"/>'
    assert drawn(SVG.format(used)).getpixel((500, 250)) == (255, 0, 0)
    entity = '<!DOCTYPE svg [<!ENTITY colour "red">]>' + SVG.format(RED.replace("red", "&colour;"))
    assert drawn(entity).getpixel((500, 250)) == (255, 0, 0)
    scripted = SVG.format(f"<script>while (true) {{}}</script>{RED}<foreignObject><p>a</p></foreignObject>")
    assert drawn(scripted).getpixel((500, 250)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SVG.format("<g>" * 300 + "</g>" * 300), "too deeply nested"),
        (SVG.format("<g/>" * 500_001), "too many elements"),
        (SVG.format(RED)[:-3], "damaged"),
        ('<!DOCTYPE svg [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>' + SVG.format("<text>&b;</text>"), "with entities"),
        ('<!DOCTYPE svg [<!ENTITY a SYSTEM "/etc/passwd">]>' + SVG.format("<text>&a;</text>"), "with entities"),
        (SVG.format("").replace('viewBox="0 0 20 10"', 'width="0" height="5"'), "damaged"),
        (SVG.format(" " * (17 << 20)), "more than 16 MB"),
        (gzip.compress(SVG.format(RED).encode())[:-20], "truncated"),
        (gzip.compress(bytes(64 << 20)), "more than 16 MB"),
    ],
)
def test_hostile_drawings_have_a_reason(content: str | bytes, reason: str) -> None:
    with pytest.raises(ImageReadError, match=reason):
        drawn(content, ".svg" if isinstance(content, str) else ".svgz")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at what is opened as Linux does")
def test_drawing_opens_no_file_but_fonts(tmp_path: Path) -> None:
    """In a process that may open nothing more by the system's limit."""
    code = (
        "import io, resource, sys\n"
        "from clipsearch.images.decode import decode_image\n"
        f"content = {SVG.format(RED).encode()!r}\n"
        "decode_image(content, suffix='.svg')\n"
        "open_files = len(__import__('os').listdir('/proc/self/fd'))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (open_files - 1, open_files - 1))\n"
        "print(decode_image(content, suffix='.svg').image.getpixel((9, 9)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=dict(os.environ), cwd=tmp_path
    )
    assert (result.stdout, result.returncode) == ("(255, 0, 0)\n", 0), result.stderr
