"""Implement clipsearch bench."""

from dataclasses import asdict
from typing import Annotated

import typer

from clipsearch import paths, settings
from clipsearch.cli.options import CatalogOption, DeviceOption, JsonOption, ModelOption, PrecisionOption, RuntimeOption
from clipsearch.cli.render import note, out, print_json, print_processor, printable
from clipsearch.quantities import count, size
from clipsearch.types import ModelOptions


def bench(
    folder: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER]", help="Measure with pictures of this folder. Default: generated ones."),
    ] = None,
    catalog: CatalogOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    runtime: RuntimeOption = None,
    precision: PrecisionOption = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Measure the plain loop of transformers beside it; not for the starter.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Benchmark this machine: indexing, queries, search, memory.

    Takes a minute or two; the catalog is read-only.
    """
    from clipsearch.evaluation.benchmark import measure

    found = measure(
        paths.catalog_directory(catalog),
        settings.with_environment(ModelOptions(model, device, runtime, precision=precision)),
        folder=None if folder is None else paths.folder_path(folder),
        with_loop=loop,
        on_stage=None if json else lambda what: note(f"clipsearch: {what} …"),
    )
    if json:
        rates = [{**asdict(rate), "share_of_bound": rate.share_of_bound} for rate in found.rates]
        print_json({**asdict(found), "rates": rates})
        return
    out(f"model {printable(found.model)}")
    print_processor(found.processor, found.cores, found.features)
    looped = f" {'loop':>8}" if loop else ""
    out(f"{'pictures a second':<32} {'decode':>8} {'encode':>8} {'bound':>8} {'index':>8}{looped}")
    for rate in found.rates:
        line = (
            f"  {printable(rate.what):<30} {rate.decode_rate:8.0f} {rate.encode_rate:8.0f} {rate.bound_rate:8.0f} "
            f"{rate.index_rate:8.0f}"
        )
        if rate.loop_rate is not None:
            line += f" {rate.loop_rate:8.1f}  {rate.index_rate / rate.loop_rate:.1f} × the loop,"
        out(f"{line}  {rate.share_of_bound:.0%} of the bound")
    if found.peak_memory_bytes is not None:
        out(f"memory while indexing    {size(found.peak_memory_bytes)} at most")
    out(f"a query                  {found.cold_query_s:.2f} s as a process of its own")
    out(f"  in a running one       {found.query_p50_ms:.1f} ms, 95 % within {found.query_p95_ms:.1f} ms")
    out(f"  of that the search     {found.search_ms:.2f} ms among {count(found.searched_pictures, 'picture')}, exact")
