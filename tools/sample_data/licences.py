"""The licence page of the sample folder."""

from collections.abc import Sequence
from pathlib import Path

from samples import PACKAGE_VERSIONS, Sample

FORMAT_NAMES = {".jpg": "JPEG", ".png": "PNG", ".webp": "WebP", ".avif": "AVIF", ".heic": "HEIC"}

# CC BY 2.0, section 4b, asks for the author, the licence and a note of the changes, so each row says what was done.
INTRODUCTION = """# Licences of the sample pictures

Every picture comes from a public package. The terms are those the package states for it. Camera make and model,
dates and places in the pictures' metadata are made up and were added for this folder. Photographs larger than 512
pixels were scaled down.

The renders (MIT) and the photographs of scikit-image were among the training data of the starter model, and pictures
it confuses were left out of this set: how well that model does here says little about how well it does elsewhere.
"""

TERMS = """
* CC0 1.0: https://creativecommons.org/publicdomain/zero/1.0/
* CC BY 2.0: https://creativecommons.org/licenses/by/2.0/
* The README of scikit-learn's pictures names danielbuechele as the author of flower.jpg, but links to vultilion's
  photograph; the table follows the link.
* NASA and SpaceX do not endorse this project; neither do the people shown.

## MIT License

Copyright (c) Microsoft Corporation (Fluent Emoji)

Copyright (c) 2023 LobeHub (@lobehub/fluent-emoji-3d)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS
OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def changes(sample: Sample, *, scaled: bool) -> str:
    """What was done to a picture, in words."""
    done = []
    if scaled:
        done.append("scaled down")
    if sample.background is not None:
        done.append("put on a backdrop")
    if sample.mode == "CMYK":
        done.append("converted to CMYK")
    if sample.orientation != 1:
        done.append(f"stored turned, EXIF orientation {sample.orientation}")
    added = [word for word, value in (("date", sample.taken), ("place", sample.place)) if value is not None]
    if added:
        done.append(f"made-up camera, {' and '.join(added)} added")
    done.append(f"saved as {FORMAT_NAMES[Path(sample.path).suffix]}")
    return "; ".join(done)


def licences_page(rows: Sequence[tuple[Sample, bool]]) -> str:
    """The Markdown page for (sample, whether it was scaled down) pairs."""
    lines = [
        "| file | source | author | licence | changes |",
        "|---|---|---|---|---|",
    ]
    for sample, scaled in rows:
        source = sample.source
        origin = f" ([original]({source.origin}))" if source.origin else ""
        package = f"{source.package} {PACKAGE_VERSIONS[source.package]}, `{source.member}`{origin}"
        what = changes(sample, scaled=scaled)
        lines.append(f"| `{sample.path}` | {package} | {source.author} | {source.licence} | {what} |")
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n" + TERMS
