"""Run one indexing pass: find changed files, embed new contents, store them. FAISS follows from the store."""

import threading
from collections.abc import Sequence

from clipsearch.captions.embedding import embed_captions
from clipsearch.encoders.base import Encoder
from clipsearch.indexing.interrupt import RunCancelled
from clipsearch.indexing.options import IndexOptions
from clipsearch.indexing.pipeline import LocalRunner, Pipeline, Progress
from clipsearch.indexing.run_log import RunLog
from clipsearch.indexing.runner import Run, Runner
from clipsearch.store import Scope, Store
from clipsearch.types import IndexReport

__all__ = ["Progress", "index_folders"]


def index_folders(
    scopes: Sequence[Scope],
    *,
    store: Store,
    encoder: Encoder,
    model_id: int,
    options: IndexOptions | None = None,
    runner: Runner | None = None,
    on_progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> IndexReport:
    """Bring the store up to date with the folders.

    Idempotent: every batch is committed, and a run that was stopped anywhere is continued by the next one.
    KeyboardInterrupt or `cancel` ends it early with `interrupted` set. Unreadable files are reported, and retried when
    they change.

    Args:
        options: of these `prune`, `retry`, `again` and `limits`; None: the defaults.
        runner: where files are read and encoded; None: on this machine.
        on_progress: called when a batch was stored; the number to do grows while folders are still being listed.
        cancel: cancellation token: the run ends early once another thread has set it.
    """
    log = RunLog(store, model_id=model_id)
    run = Run()
    interrupted = False
    try:
        Pipeline(
            scopes,
            store=store,
            encoder=encoder,
            model_id=model_id,
            options=options or IndexOptions(),
            run=run,
            on_advance=lambda: log.note(run),
            runner=runner or LocalRunner(),
            on_progress=on_progress,
            cancel=cancel,
        ).run()
        embed_captions(store, encoder, model_id=model_id)
    except (KeyboardInterrupt, RunCancelled):
        interrupted = True
    report = IndexReport(
        found=run.found,
        embedded=run.embedded,
        reused=run.reused,
        unchanged=run.unchanged,
        removed=run.removed,
        skipped=tuple(sorted(run.skipped, key=lambda skipped: skipped.path)),
        unsupported=dict(sorted(run.unsupported.items())),
        seconds=log.seconds,
        model=encoder.name,
        interrupted=interrupted,
        partial=tuple(sorted(run.partial, key=lambda partial: partial.path)),
        moved=run.moved,
        sidecars=run.sidecars,
        parts={kind: (run.with_parts[kind], number) for kind, number in sorted(run.parts.items())},
    )
    log.end(report)
    return report
