"""785 captioned pictures that a registry has: python -m tests.benchmarks.stamps FOLDER

Downloads Debian's package tuxpaint-stamps-default (2022.06.04, 161 MB; GPL-2 and other licences, named in its copyright
file) with apt-get, unpacks it below FOLDER and writes captions.jsonl there: the English description of each picture,
for `clipsearch eval` and `tests.benchmarks.relevance`; kinds.jsonl, where pictures in folders that show one kind of
thing have that as their caption, for `tests.benchmarks.labels`; and folders.jsonl, the same for more and for nested
folders, for `tests.benchmarks.feedback`.
"""

import argparse
import json
import subprocess
from pathlib import Path

PACKAGE = "tuxpaint-stamps-default"

KINDS = {
    "animals/birds": "bird",
    "animals/fish": "fish",
    "animals/insects": "insect",
    "clothes/hats": "hat",
    "food/fruit": "fruit",
    "food/vegetables": "vegetable",
    "plants/flowers": "flower",
    "plants/trees": "tree",
    "town/houses": "house",
    "town/roadsigns": "road sign",
}

FOLDERS = {
    "animals": "an animal",
    "animals/birds": "a bird",
    "animals/fish": "a fish",
    "animals/insects": "an insect",
    "animals/mammals": "a mammal",
    "animals/mammals/bovines": "cattle",
    "animals/mammals/rodents": "a rodent",
    "clothes": "clothes",
    "clothes/hats": "a hat",
    "food": "food",
    "food/fruit": "fruit",
    "food/vegetables": "a vegetable",
    "hobbies/music": "a musical instrument",
    "household": "household goods",
    "household/dishes": "dishes",
    "household/tools": "a tool",
    "military": "military",
    "people": "people",
    "plants": "a plant",
    "plants/flowers": "a flower",
    "plants/trees": "a tree",
    "seasonal/christmas": "christmas",
    "seasonal/easter": "easter",
    "seasonal/halloween": "halloween",
    "seasonal/hanukkah": "hanukkah",
    "space": "space",
    "space/planets": "a planet",
    "sports": "sports",
    "symbols/alphabets/asl": "sign language",
    "symbols/alphabets/english": "a letter",
    "symbols/chess": "a chess piece",
    "symbols/math": "mathematics",
    "symbols/money": "money",
    "symbols/music": "music notes",
    "symbols/shapes": "a shape",
    "town": "town",
    "town/flags": "a flag",
    "town/houses": "a house",
    "town/monuments": "a monument",
    "town/roadsigns": "a road sign",
    "vehicles": "a vehicle",
    "vehicles/locomotive": "a locomotive",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    place: Path = parser.parse_args().folder
    place.mkdir(parents=True, exist_ok=True)
    if not list(place.glob(f"{PACKAGE}_*.deb")):
        subprocess.run(["apt-get", "download", PACKAGE], cwd=place, check=True)
    (archive,) = place.glob(f"{PACKAGE}_*.deb")
    subprocess.run(["dpkg-deb", "--extract", archive, place], check=True)
    stamps = place / "usr" / "share" / "tuxpaint" / "stamps"
    rows = []
    for picture in sorted(stamps.rglob("*.png")):
        text = picture.with_suffix(".txt")
        caption = text.read_text(encoding="utf-8").split("\n", 1)[0].strip() if text.exists() else ""
        # The mirrored twin of a picture has no description of its own.
        if caption:
            rows.append({"image": picture.relative_to(stamps).as_posix(), "caption": caption})
    kinds = [
        {"image": row["image"], "caption": kind}
        for row in rows
        for folder, kind in KINDS.items()
        if row["image"].startswith(f"{folder}/")
    ]
    folders = [
        {"image": row["image"], "caption": name}
        for row in rows
        for folder, name in FOLDERS.items()
        if row["image"].startswith(f"{folder}/")
    ]
    for name, part in (("captions", rows), ("kinds", kinds), ("folders", folders)):
        (stamps / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
        print(f"{len(part)} pictures with a caption: {stamps / name}.jsonl")


if __name__ == "__main__":
    main()
