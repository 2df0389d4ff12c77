"""Implement clipsearch gc, forget, backup, restore, doctor."""

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

# Picture files whose hashes doctor --pictures verifies by default.
_COMPARED_PICTURES = 1_000
# Findings about pictures printed without --json.
_MAX_PICTURE_FINDINGS = 20
# Folders printed that were not restored.
_MAX_FOLDERS = 10


def gc(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, help="Keep files that disappeared within DAYS days.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only, delete nothing.")] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Delete the data of missing files permanently.

    Until then their embeddings are reused when the files reappear.
    """
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
        f"{count(report.files, 'missing file')}{index_files} {verb} "
        f"{size(report.freed_bytes)} {freed}"
    )


def forget(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="An indexed folder or a subfolder of one.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only, change nothing.")] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Remove a folder from the catalog.

    Its files are not touched, and the folder may be missing.
    """
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        report = opened.admin.forget(folder, dry_run=dry_run, wait=wait)
    if json:
        print_json(asdict(report))
        return
    shown = shown_path(report.folder)
    verb = "would be forgotten" if report.is_dry_run else "forgotten"
    out(f"{count(report.files, 'file')} of {shown} {verb}, {count(report.pictures, 'picture')} no longer searchable")
    if not report.is_dry_run:
        out(f"'clipsearch index {shown}' adds them again, without re-embedding until 'clipsearch gc' is run")


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The copy to write, such as photos.backup.sqlite3.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    catalog: CatalogOption = None,
    json: JsonOption = False,
) -> None:
    """Copy the catalog's database to a file.

    Works while other processes use the catalog. Index files are not included, as they are rebuilt from the database.
    """
    from clipsearch.catalog import Catalog

    with Catalog.open(catalog) as opened:
        report = opened.admin.backup(file, force=force)
    if json:
        print_json(asdict(report))
    else:
        what = f"{count(report.pictures, 'picture')}, {count(report.captions, 'caption')}, {size(report.size_bytes)}"
        out(f"{shown_path(report.path)}: {what}, verified; index files are not included, they are rebuilt from it")


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file that 'clipsearch backup' wrote.")],
    roots: Annotated[
        list[str] | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Also restore the backup's folders below DIR; may be repeated.",
            show_default=False,
        ),
    ] = None,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Replace the catalog's content with a backup.

    The previous database is kept as a copy; a missing catalog is created. Folders that were never named on this machine
    are reported and ignored until you name them.
    """
    from clipsearch.maintenance.backups import restore_catalog

    report = restore_catalog(file, catalog, roots=roots or (), wait=wait)
    if json:
        print_json(asdict(report))
        return
    upgraded = ", upgraded to the schema of this version" if report.was_upgraded else ""
    out(f"{count(report.pictures, 'picture')} and {count(report.captions, 'caption')} restored{upgraded}")
    if report.kept is not None:
        out(f"the previous database is {shown_path(report.kept)}")
    for folder in report.unnamed[:_MAX_FOLDERS]:
        out(f"ignored: {shown_path(folder)} was never named on this machine; {_restore_hint(folder)}")
    if len(report.unnamed) > _MAX_FOLDERS:
        out(f"… and {len(report.unnamed) - _MAX_FOLDERS:,} more folders: --json lists them all")


def _restore_hint(folder: str) -> str:
    runner = " --runner ray" if is_folder_url(folder) else ""
    return f"if it is yours, 'clipsearch index {printable(folder)}{runner}' restores its pictures"


def doctor(
    sample: Annotated[
        int | None,
        typer.Argument(metavar="[N]", min=1, help="Number of files for --pictures. Default: 1000, all with --full."),
    ] = None,
    pictures: Annotated[bool, typer.Option("--pictures", help="Verify the hashes of N random picture files.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Check everything instead of a sample.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Repair the catalog, after copying its database.")] = False,
    catalog: CatalogOption = None,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> int:
    """Check the catalog and report problems.

    Works also on a catalog that can't be opened. Exit code 0: no problem, or all were fixed.
    """
    from clipsearch.maintenance.doctor import check_catalog

    if sample is not None and not pictures:
        raise typer.BadParameter(f"{sample} is the number of pictures to verify: it requires --pictures")
    n_pictures: int | Literal["all"] = sample or ("all" if full else _COMPARED_PICTURES)
    with ProgressBar("file") as bar:
        report = check_catalog(
            catalog, full=full, fix=fix, pictures=n_pictures if pictures else None, wait=wait, on_progress=bar.update
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
            if shown > _MAX_PICTURE_FINDINGS:
                continue
        if finding.is_fixed:
            out(f"{'fixed':<9}{printable(finding.message)}")
        else:
            out(f"{finding.severity:<9}{printable(finding.message)}: {printable(finding.remedy)}")
    if shown > _MAX_PICTURE_FINDINGS:
        out(f"{'':<9}… and {count(shown - _MAX_PICTURE_FINDINGS, 'more picture')}: --json lists all")
    if report.saved_rows:
        saved = ", ".join(f"{number:,} {table}" for table, number in report.saved_rows.items())
        out(f"{'saved':<9}readable rows: {saved}; 'clipsearch index' restores the missing ones")
    for copy in report.copies:
        out(f"{'kept':<9}{shown_path(copy)}, the original database")
    checked = (
        f"{report.checked_embeddings:,} of {count(report.stored_embeddings, 'embedding')} and "
        f"{report.compared_rows:,} of {count(report.index_rows, 'row')} of the index checked"
    )
    if report.picture_files:
        checked += (
            f", {report.compared_files:,} of {count(report.picture_files, 'picture file')} verified by their hashes"
        )
    problems = sum(not finding.is_fixed and finding.severity != "info" for finding in report.findings)
    verdict = count(problems, "problem") if problems else "nothing is wrong"
    out(f"{verdict}; {checked}{'' if report.is_full else ' (--full: all)'}")
