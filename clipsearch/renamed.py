"""Names of public attributes that have moved: each works for one more release, with a DeprecationWarning."""

import warnings
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

RENAMED: Mapping[str, Mapping[str, str]] = {
    "Catalog": {
        "add_captions": "captions.add",
        "list_captions": "captions.list",
        "remove_captions": "captions.remove",
        "add_labels": "labels.add",
        "find_labels": "labels.get",
        "label": "labels.assign",
        "label_pictures": "labels.assign_all",
        "label_sets": "labels.names",
        "remove_labels": "labels.remove",
        "details": "pictures.get",
        "embed_file": "pictures.embed",
        "embedding": "pictures.embedding",
        "facets": "pictures.facets",
        "list_details": "pictures.list",
        "near_duplicates": "pictures.near_duplicates",
        "thumbnail": "pictures.thumbnail",
        "backup": "admin.backup",
        "check_place": "admin.check_place",
        "collect_garbage": "admin.collect_garbage",
        "current_run": "admin.current_run",
        "forget": "admin.forget",
        "index_place": "admin.index_place",
        "reindex": "admin.reindex",
        "status": "admin.status",
        "use_index": "admin.use_index",
        "warm_up": "admin.warm_up",
        "explain": "heat_map",
    },
    "PictureDetails": {
        name: f"metadata.{name}"
        for name in ("width", "height", "format", "taken_at", "camera", "latitude", "longitude", "is_date_doubtful")
    },
}
"""Class → old name → what to write instead, on the same object."""


def get_renamed(owner: object, name: str) -> Any:
    """Get an attribute by its old name, with a warning; to be called by `__getattr__` of the class.

    Raises:
        AttributeError: the class never had that attribute.
    """
    kind = type(owner).__name__
    path = RENAMED.get(kind, {}).get(name)
    if path is None:
        raise AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=owner)
    warnings.warn(f"{kind}.{name} is {kind}.{path} now; the old name goes with 0.3", DeprecationWarning, stacklevel=3)
    return attrgetter(path)(owner)
