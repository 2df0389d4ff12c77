"""Run the operations that fill a catalog: index folders, or switch to another model."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from clipsearch.encoders.load import notify_licence
from clipsearch.errors import IndexMismatchError, InputError, MissingExtraError, ModelError
from clipsearch.images.decode import default_limits
from clipsearch.indexes.ivf_tuning import check_ann
from clipsearch.indexing import Progress, index_folders
from clipsearch.indexing.options import IndexOptions
from clipsearch.indexing.runner import Runner
from clipsearch.indexing.scan import full_path
from clipsearch.indexing.scopes import exclude_from, known_scopes, plan_scopes
from clipsearch.indexing.stacks import find_stacks
from clipsearch.indexing.texts import choose_models, read_texts
from clipsearch.notices import notify, timed
from clipsearch.quantities import count
from clipsearch.session.model import CatalogModel
from clipsearch.session.session import Session
from clipsearch.store.backends.lock import run_lock
from clipsearch.store.trusted_folders import remember_folders, require_named_folders
from clipsearch.types import IndexReport

__all__ = ["IndexOptions", "run_index", "switch_model"]

RUNNERS = ("local", "ray")


def run_index(
    folders: Sequence[str | os.PathLike[str]],
    options: IndexOptions,
    session: Session,
    on_progress: Progress | None,
    cancel: threading.Event | None,
    *,
    runner: Runner | None = None,
) -> IndexReport:
    """Index folders, by default those indexed before, and refresh the vector indexes unless it was interrupted.

    Args:
        runner: None: the one of the options.
    """
    store, model, ann = session.store, session.model, options.ann
    if options.detail and options.runner != "local":
        raise InputError("crops of pictures are embedded on this machine only: leave --detail or --runner out")
    if options.ocr:
        choose_models(store, None)  # that they are missing is told before, not after hours
    make_runner = _choose_runner(options.runner, options.address)
    checked_ann = None if ann is None else check_ann(ann)
    if options.runner == "ray":
        require_named_folders(folders, store.roots)
    if options.is_named:
        register = plan_scopes(folders, roots=store.roots, prune=options.prune, with_urls=options.runner == "ray")
    else:
        register = partial(known_scopes, [os.fspath(folder) for folder in folders], roots=store.roots)
    with (
        run_lock(session.run_lock, wait=options.wait, cancel=cancel),
        store.writing(wait=options.wait, alone=False, cancel=cancel),
    ):
        current = store.reader.find_current_model()
        if current is not None and model.encoder.fingerprint != current.fingerprint:
            raise IndexMismatchError(
                f"this catalog uses the model {current.name}. To switch: clipsearch model use {model.encoder.name}"
            )
        notify_licence(model.encoder.name)
        if ann is not None:
            store.embeddings.set_ann(checked_ann)
        scopes = register()
        if folders and options.is_named:
            remember_folders(full_path(scope, scope.subfolder) for scope in scopes)
        if options.exclude:
            scopes = exclude_from(scopes, options.exclude, roots=store.roots)
        with timed(f"scan and embed {', '.join(scope.root for scope in scopes)}"):
            report = index_folders(
                scopes,
                store=store,
                encoder=model.encoder,
                model_id=model.row.model_id,
                options=_with_limits(options),
                runner=runner or make_runner(model),
                on_progress=on_progress,
                cancel=cancel,
            )
        if not report.interrupted:
            with timed("find stacks"):
                find_stacks(store, model_id=model.row.model_id, dim=model.row.dim)
            if options.ocr or (options.ocr is None and store.texts.count().read):
                report = _with_texts(report, options, session, on_progress, cancel)
            with timed("update the index"):
                session.refresh("images", "captions")
        return report


def _with_texts(
    report: IndexReport,
    options: IndexOptions,
    session: Session,
    on_progress: Progress | None,
    cancel: threading.Event | None,
) -> IndexReport:
    """Look for text in what is new, and add that to a report."""
    try:
        texts = read_texts(session, limits=options.limits, on_progress=on_progress, cancel=cancel)
    except (MissingExtraError, ModelError) as error:
        if options.ocr:
            raise
        notify(f"{error}: no text was looked for in new pictures")
        return report
    return replace(report, texts=texts, interrupted=texts.interrupted)


def _with_limits(options: IndexOptions) -> IndexOptions:
    return replace(options, limits=options.limits or default_limits())


def _choose_runner(runner: str, address: str | None) -> Callable[[CatalogModel], Runner | None]:
    """Validate the runner before the model is loaded, and return its factory; None stands for this machine.

    Raises:
        InputError: the runner or the address is invalid.
        MissingExtraError: Ray is not installed.
    """
    if runner not in RUNNERS:
        raise InputError(f"invalid runner {runner!r}: use {' or '.join(RUNNERS)} (--runner)")
    if runner == "local":
        if address is not None:
            raise InputError("--address names a Ray cluster: use it with --runner ray")
        return lambda model: None
    from clipsearch.indexing.ray.cluster import check_address, load_ray

    place = check_address(address)
    load_ray()
    from clipsearch.indexing.ray.runner import RayRunner

    return lambda model: RayRunner(model.recipe(), address=place)


def switch_model(
    name: str,
    options: IndexOptions,
    session: Session,
    on_progress: Progress | None,
) -> IndexReport:
    """Embed all pictures with another model, then make it the catalog's model unless the run was interrupted."""
    store = session.store
    with store.writing(wait=options.wait):
        encoder = session.model.load(name)
        notify_licence(encoder.name)
        model = store.models.add(name=encoder.name, fingerprint=encoder.fingerprint, dim=encoder.dim)
        report = index_folders(
            [scope for scope in store.roots.list_all() if os.path.isdir(scope.root)],  # noqa: PTH112
            store=store,
            encoder=encoder,
            model_id=model.model_id,
            options=_with_limits(options),
            on_progress=on_progress,
        )
        if report.interrupted:
            return report
        session.model.switch(encoder, model)
        session.forget_indexes()
        find_stacks(store, model_id=model.model_id, dim=model.dim, again=True)
        session.refresh("images", "captions")
        left = len(store.pictures.contents_without_embedding(model_id=model.model_id))
        if left:
            notify(
                f"{count(left, 'picture')} could not be read, and can't be found with {encoder.name} until the files "
                "are there and 'clipsearch index' is run",
            )
        return report
