"""What filters cost a search, and whether it is right: python -m tests.benchmarks.filtered_search [--count 1000000]

Words among 50 %, 1 % and 0.01 % of a catalog of random embeddings, through `Catalog.search`, against a scan with numpy.
"""

import argparse
from pathlib import Path
from statistics import median

import numpy as np

from clipsearch import Catalog, parse_query
from clipsearch.encoders.load import load_encoder
from clipsearch.evaluation.benchmark import new_text
from clipsearch.paths import index_folder
from clipsearch.session.columns import CatalogColumns
from clipsearch.store import Store
from tests.benchmarks import material
from tests.benchmarks.measuring import print_table, seconds_of, workplace

# Of pictures taken one an hour from 2000 on, for 220,000 hours.
FILTERS = {
    "all": "",
    "50 %": "taken:..2012-07-18",
    "20 %": "camera:canon",
    "1 %": "taken:2010-01..2010-03",
    "0.01 %": "taken:2010-01-05",
    "1 %, by path": "path:*/*42.jpg",
}
_QUERIES = 10
_TOP_K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--model", default=material.RANDOM_CLIP, help=material.MODEL_HELP)
    parser.add_argument("--folder", type=Path, help="keep what is made here; default: a temporary folder")
    options = parser.parse_args()
    with workplace(options.folder) as folder:
        place = folder / f"growth-{options.count}"
        if not (place / "catalog").is_dir():
            encoder = load_encoder(material.model_name(folder, options.model))
            material.tree(place / "pictures", options.count)
            material.catalog(place / "catalog", place / "pictures", encoder=encoder)
            material.write_image_snapshot(place / "catalog")
        texts = [new_text() for _ in range(_QUERIES)]
        rows = []
        with Catalog.open(place / "catalog") as catalog, Store(place / "catalog") as store:
            queries = catalog.encoder.encode_texts(texts)
            model = catalog.model
            catalog_columns = CatalogColumns(store, index_folder(place / "catalog"))
            stored = list(store.reader.rows_after("images", model_id=model.model_id, dim=model.dim))
            ids = np.concatenate([part.ids for part in stored])
            scores = np.concatenate([queries @ part.embeddings.T for part in stored], axis=1)
            del stored
            for name, written in FILTERS.items():
                filters = parse_query(f"x {written}").filters
                selected = ids if not filters else catalog_columns.get().select_ids(filters)
                kept = scores[:, np.isin(ids, selected)]
                exact = np.sort(kept, axis=1)[:, ::-1][:, :_TOP_K]
                asked = [f'"{text}" {written}'.strip() for text in texts]
                found = [[hit.score for hit in catalog.search(query, top_k=_TOP_K)] for query in asked]
                assert np.shape(found) == exact.shape, (name, np.shape(found), exact.shape)
                whole = median(seconds_of(lambda query=query: catalog.search(query, top_k=_TOP_K)) for query in asked)
                alone = (
                    median(seconds_of(lambda chosen=filters: catalog_columns.get().select(chosen)) for _ in asked)
                    if filters
                    else 0.0
                )
                rows.append(
                    (
                        name,
                        written,
                        f"{len(selected):,}",
                        f"{1000 * whole:.0f} ms",
                        f"{1000 * alone:.1f} ms",
                        f"{np.abs(np.array(found) - exact).max():.0e}",
                    )
                )
        print_table(("pictures", "filter", "number", "a search", "of that the filter", "off numpy's by at most"), rows)


if __name__ == "__main__":
    main()
