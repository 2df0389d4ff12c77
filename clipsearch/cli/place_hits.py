"""Copy the files of hits to folders, or link them there, and say what was done."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from clipsearch.cli.logs import report_error
from clipsearch.cli.render import note, printable, shown_path
from clipsearch.quantities import count
from clipsearch.search.hits import SearchHit


def check_places(copy_to: str | None, link_to: str | None) -> dict[str, Path]:
    """Check the folders before the query runs; errors as in `placing.target_folder`.

    Returns:
        "copied" or "linked" → folder.
    """
    named = {"copied": copy_to, "linked": link_to}
    if not any(name is not None for name in named.values()):
        return {}
    from clipsearch.gallery.placing import target_folder

    return {done: target_folder(name) for done, name in named.items() if name is not None}


def place_hits(hits: Sequence[SearchHit], places: Mapping[str, Path], *, indexed: Sequence[str]) -> bool:
    """Copy or link the files of hits; return whether all of it was done.

    Args:
        places: of `check_places`.
        indexed: the indexed folders.
    """
    is_done = True
    for done, folder in places.items():
        if not hits:
            continue
        from clipsearch.gallery.placing import place_files

        results: Counter[str] = Counter()
        for file in place_files([hit.path for hit in hits], folder, links=done == "linked"):
            results[file.placing] += 1
            if file.placing == "failed":
                report_error(f"{file.path} was not {done}: {file.reason}")
                is_done = False
        already = f", {results['present']:,} already there" if results["present"] else ""
        note(f"{count(results[done], 'file')} {done} to {shown_path(str(folder))}{already}")
        real = Path(os.path.realpath(folder))
        if any(real.is_relative_to(each) for each in indexed):
            note(f"clipsearch: {printable(str(folder))} is indexed: its files are found, too, after the next index run")
    return is_done
