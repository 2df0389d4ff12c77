"""Show the description of the HTTP API as a page that loads nothing from elsewhere."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response

from clipsearch.web.templating import render

_REFERENCE = "#/components/schemas/"
_FORM = "multipart/form-data"
_SUCCESS = 300

# Media types that a command saves in a file.
_SAVED = ("image/", "video/")

# Keywords of a schema that bound a value, and how they are shown.
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is: "array of Hit", the schema that it names, and its bounds."""

    text: str
    schema: str | None = None
    bounds: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Parameter of an operation, or field of a schema.

    Attributes:
        place: "path", "query", "body" or "" of a field.
        default: as JSON; "" without one.
    """

    name: str
    place: str
    kind: Kind
    is_required: bool
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Method and path, with a command that calls it.

    Attributes:
        answers: status, media type and schema of what succeeds. errors: the other statuses.
    """

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    answers: tuple[tuple[str, str, Kind], ...]
    errors: tuple[str, ...]
    curl: str


def add_api_page(app: FastAPI) -> None:
    """Add the page at /api/docs."""

    @app.get("/api/docs", include_in_schema=False)
    async def api_docs(request: Request) -> Response:
        described = app.openapi()
        return render(
            "api.html",
            version=app.version,
            groups=operations_of(described, base=str(request.base_url).rstrip("/")),
            schemas=schemas_of(described),
        )


def operations_of(described: Mapping[str, Any], *, base: str) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI description by their first tag.

    Args:
        base: origin of the server, for the commands.
    """
    found: dict[str, list[Operation]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            made = _operation(method.upper(), path, operation, described, base)
            found.setdefault(operation["tags"][0], []).append(made)
    return found


def schemas_of(described: Mapping[str, Any]) -> dict[str, tuple[Parameter, ...]]:
    """Return the fields of all schemas by name; forms, which stand with their operations, are left out."""
    schemas = described["components"]["schemas"]
    return {name: _fields(schema, "") for name, schema in sorted(schemas.items()) if not name.startswith("Body_")}


def _operation(
    method: str, path: str, operation: Mapping[str, Any], described: Mapping[str, Any], base: str
) -> Operation:
    parameters = [
        _parameter(each["name"], each["in"], each["schema"], is_required=each.get("required", False))
        for each in operation.get("parameters", ())
    ]
    answers, errors = [], []
    for status, response in operation["responses"].items():
        if status.isdecimal() and int(status) >= _SUCCESS:
            errors.append(status)
            continue
        content = response.get("content", {}) or {"": {}}
        answers += [(status, media_type, kind_of(each.get("schema", {}))) for media_type, each in content.items()]
    ((media_type, body),) = operation.get("requestBody", {}).get("content", {"": {}}).items()
    schema = _resolve(body.get("schema", {}), described)
    return Operation(
        method,
        path,
        operation["summary"],
        (*parameters, *_fields(schema, "body")),
        tuple(answers),
        tuple(errors),
        _curl(method, path, operation, schema if media_type else None, is_form=media_type == _FORM, base=base),
    )


def _fields(schema: Mapping[str, Any], place: str) -> tuple[Parameter, ...]:
    required = schema.get("required", ())
    return tuple(
        _parameter(name, place, each, is_required=name in required)
        for name, each in schema.get("properties", {}).items()
    )


def _parameter(name: str, place: str, schema: Mapping[str, Any], *, is_required: bool) -> Parameter:
    default = json.dumps(schema["default"]) if "default" in schema else ""
    return Parameter(name, place, kind_of(schema), is_required, default, schema.get("description", ""))


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """Return what a value of a JSON schema is."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return Kind(name, name)
    bounds = ", ".join(text.format(f"{schema[key]:,}") for key, text in _BOUNDS.items() if key in schema)
    if "anyOf" in schema:
        kinds = [kind_of(each) for each in schema["anyOf"]]
        named = next((kind.schema for kind in kinds if kind.schema), None)
        inner = next((kind.bounds for kind in kinds if kind.bounds), "")
        return Kind(" or ".join(kind.text for kind in kinds), named, bounds or inner)
    if "enum" in schema or "const" in schema:
        return Kind(" | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        items = kind_of(schema.get("items", {}))
        return Kind(f"array of {items.text}", items.schema, bounds)
    if schema.get("type") == "object" and "additionalProperties" in schema:
        values = kind_of(schema["additionalProperties"] or {})
        return Kind(f"object of {values.text}", values.schema, bounds)
    return Kind("file" if "contentMediaType" in schema else schema.get("type", ""), None, bounds)


def _resolve(schema: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = described["components"]["schemas"][schema["$ref"].removeprefix(_REFERENCE)]
    return found


def _curl(
    method: str, path: str, operation: Mapping[str, Any], body: Mapping[str, Any] | None, *, is_form: bool, base: str
) -> str:
    """Return a command that calls an operation with what it requires, or else with its first example."""
    parameters = operation.get("parameters", ())
    of_path, of_query = ([each for each in parameters if each["in"] == place] for place in ("path", "query"))
    for each in of_path:
        path = path.replace(f"{{{each['name']}}}", quote(str(_example(each["schema"])), safe=""))
    shown = [each for each in of_query if each.get("required")]
    if not shown and not of_path:
        shown = [each for each in of_query if "examples" in each["schema"]][:1]
    pairs = {each["name"]: _example(each["schema"]) for each in shown}
    url = base + path + (f"?{urlencode(pairs, doseq=True)}" if pairs else "")
    words = ["curl"] + ([] if method == "GET" else ["-X", method]) + [url]
    if body is not None and is_form:
        for name in body.get("required", ()):
            field = body["properties"][name]
            value = _example(field)
            words += ["-F", f"{name}={'@picture.jpg' if kind_of(field).text == 'file' else value}"]
    elif body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(_example(body))]
    if any(media_type.startswith(_SAVED) for media_type in _media_types(operation)):
        words += ["-o", "FILE"]
    return shlex.join(words)


def _media_types(operation: Mapping[str, Any]) -> list[str]:
    return [
        media_type
        for status, response in operation["responses"].items()
        if int(status) < _SUCCESS
        for media_type in response.get("content", ())
    ]


def _example(schema: Mapping[str, Any]) -> Any:
    """Return an example of a value, or one that is likely valid."""
    if "example" in schema:
        return schema["example"]
    if schema.get("examples"):
        return schema["examples"][0]
    if "properties" in schema:
        return {
            name: _example(each) for name, each in schema["properties"].items() if name in schema.get("required", ())
        }
    if schema.get("type") == "array":
        return [_example(schema.get("items", {}))]
    return 1 if schema.get("type") == "integer" else "a dog"
