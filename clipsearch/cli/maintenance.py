"""clipsearch gc, backup, restore, doctor"""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from clipsearch.cli.index import ProgressBar
from clipsearch.cli.options import INTERRUPTED, CatalogOption, JsonOption, WaitOption
from clipsearch.cli.render import out, print_json, printable, shown_path
from clipsearch.errors import ClipSearchError
from clipsearch.maintenance.reports import CheckReport
from clipsearch.paths import is_folder_url
from clipsearch.quantities import count, size

# Picture files that are compared with their hashes unless somebody says how many.
_COMPARED_PICTURES = 1_000
# Of those that are not as they should be, so many are printed for people.
_MOST_PICTURES = 20
# Of folders that don't count after a restore.
_MOST_FOLDERS = 10


def gc(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Keep what went later than so many days ago.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing, only say what would be.")] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Delete for good what is known of files that are gone: until now they would be found again if they came back."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        report = opened.admin.collect_garbage(older_than_days=older_than, dry_run=dry_run, wait=wait)
    if json:
        print_json(asdict(report))
        return
    verb, freed = ("would be deleted, about", "to free") if report.is_dry_run else ("deleted,", "freed")
    index_files = f" and {count(report.index_files, 'index file')}" if report.index_files else ""
    out(
        f"{count(report.pictures, 'picture')} and {count(report.embeddings, 'embedding')} of "
        f"{count(report.files, 'file that is gone', 'files that are gone')}{index_files} {verb} "
        f"{size(report.freed_bytes)} {freed}"
    )


def forget(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="An indexed folder, or a part of one.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, only say what would be forgotten.")
    ] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Take a folder out of the catalog. Its files stay as they are, and it need not be there any more."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        report = opened.admin.forget(folder, dry_run=dry_run, wait=wait)
    if json:
        print_json(asdict(report))
        return
    shown = shown_path(report.folder)
    verb = "would be forgotten" if report.is_dry_run else "forgotten"
    out(f"{count(report.files, 'file')} of {shown} {verb}, {count(report.pictures, 'picture')} not found any more")
    if not report.is_dry_run:
        out(f"'clipsearch index {shown}' takes them back, without embedding them until 'clipsearch gc' was run")


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy to write, such as photos.backup.sqlite3.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE when it is there.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the catalog's database to a file, while others may use it. The index files are not in it: they are made
    from it."""
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        report = opened.admin.backup(file, force=force)
    if json:
        print_json(asdict(report))
    else:
        what = f"{count(report.pictures, 'picture')}, {count(report.captions, 'caption')}, {size(report.size_bytes)}"
        out(f"{shown_path(report.path)}: {what}, checked; the index files are made from it and not in it")


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What 'clipsearch backup' wrote.")],
    roots: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Of the folders that the backup names, take those below DIR too; may be given several times.",
            show_default=False,
        ),
    ] = None,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Put a backup in the place of the catalog's content, keeping a copy of what was there. Makes the catalog where
    there is none. Folders that you never named on this machine are told and don't count until you do."""
    from clipsearch.maintenance.backups import restore_catalog

    report = restore_catalog(file, catalog, roots=roots or (), wait=wait)
    if json:
        print_json(asdict(report))
        return
    upgraded = ", upgraded to the schema of this version" if report.was_upgraded else ""
    out(f"{count(report.pictures, 'picture')} and {count(report.captions, 'caption')} restored{upgraded}")
    if report.kept is not None:
        out(f"what was there before is {shown_path(report.kept)}")
    for folder in report.unnamed[:_MOST_FOLDERS]:
        out(f"set aside: {shown_path(folder)} was never named on this machine; {_takes_back(folder)}")
    if len(report.unnamed) > _MOST_FOLDERS:
        out(f"… and {len(report.unnamed) - _MOST_FOLDERS:,} more folders: --json lists them all")


def _takes_back(folder: str) -> str:
    runner = " --runner ray" if is_folder_url(folder) else ""
    return f"if it is yours, 'clipsearch index {printable(folder)}{runner}' takes its pictures back"


def doctor(
    sample: Annotated[
        int | None,
        typer.Argument(metavar="[N]", min=1, help="With --pictures: so many files. Default: 1000, with --full all."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Compare N picture files, chosen by chance, with their hashes.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Look at everything, not at some of it.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended, after a copy of the database.")] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Check the catalog, also one that can't be opened, and say what is wrong. Exit 0: nothing, or all was mended."""
    from clipsearch.maintenance.doctor import check_catalog

    if sample is not None and not pictures:
        raise typer.BadParameter(f"{sample} is a number of pictures to compare: it goes with --pictures")
    wanted: int | Literal["all"] = sample or ("all" if full else _COMPARED_PICTURES)
    with ProgressBar("file") as bar:
        report = check_catalog(
            catalog, full=full, fix=fix, pictures=wanted if pictures else None, wait=wait, on_progress=bar.update
        )
    if json:
        print_json(asdict(report) | {"is_sound": report.is_sound})
    else:
        _print_check(report)
    if report.is_interrupted:
        return INTERRUPTED
    return 0 if report.is_sound else ClipSearchError.exit_code


def _print_check(report: CheckReport) -> None:
    shown = 0
    for finding in report.findings:
        if finding.check == "pictures" and finding.severity != "info":
            shown += 1
            if shown > _MOST_PICTURES:
                continue
        if finding.is_fixed:
            out(f"{'fixed':<9}{printable(finding.message)}")
        else:
            out(f"{finding.severity:<9}{printable(finding.message)}: {printable(finding.remedy)}")
    if shown > _MOST_PICTURES:
        out(f"{'':<9}… and {count(shown - _MOST_PICTURES, 'more picture')}: --json lists all")
    if report.saved_rows:
        saved = ", ".join(f"{number:,} {table}" for table, number in report.saved_rows.items())
        out(f"{'saved':<9}rows that could be read: {saved}; 'clipsearch index' reads again what is missing")
    for copy in report.copies:
        out(f"{'kept':<9}{shown_path(copy)}, the database as it was")
    looked = (
        f"{report.checked_embeddings:,} of {count(report.stored_embeddings, 'embedding')} and "
        f"{report.compared_rows:,} of {count(report.index_rows, 'row')} of the index looked at"
    )
    if report.picture_files:
        looked += (
            f", {report.compared_files:,} of {count(report.picture_files, 'picture file')} compared with their hashes"
        )
    wrong = sum(not finding.is_fixed and finding.severity != "info" for finding in report.findings)
    verdict = f"{count(wrong, 'thing')} wrong" if wrong else "nothing is wrong"
    out(f"{verdict}; {looked}{'' if report.is_full else ' (--full: all)'}")
