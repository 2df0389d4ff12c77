"""785 captioned pictures that a registry has: python -m tests.benchmarks.stamps FOLDER

Downloads Debian's package tuxpaint-stamps-default (2022.06.04, 161 MB; GPL-2 and other licences, named in its copyright
file) with apt-get, unpacks it below FOLDER and writes captions.jsonl there: the English description of each picture,
for `clipsearch eval` and `tests.benchmarks.relevance`.
"""

import argparse
import json
import subprocess
from pathlib import Path

PACKAGE = "tuxpaint-stamps-default"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{PACKAGE}_*.deb")):
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
    (archive,) = folder.glob(f"{PACKAGE}_*.deb")
    subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
    stamps = folder / "usr" / "share" / "tuxpaint" / "stamps"
    rows = []
    for picture in sorted(stamps.rglob("*.png")):
        text = picture.with_suffix(".txt")
        caption = text.read_text(encoding="utf-8").split("\n", 1)[0].strip() if text.exists() else ""
        # The mirrored twin of a picture has no description of its own.
        if caption:
            rows.append({"image": picture.relative_to(stamps).as_posix(), "caption": caption})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (stamps / "captions.jsonl").write_text(lines, encoding="utf-8")
    print(f"{len(rows)} pictures with a caption: {stamps / 'captions.jsonl'}")


if __name__ == "__main__":
    main()
