"""The smallest JSON that meets a JSON schema, as far as the schemas of replies go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEPTH = 20


def smallest(schema: Mapping[str, Any]) -> Any:
    """Return a value that a schema allows: what is required and no more."""
    return _smallest(schema, schema, _DEPTH)


def _smallest(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    if depth == 0:
        return None  # a schema that asks for itself has no smallest value
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        target: Any = root
        for name in filter(None, str(schema["$ref"]).removeprefix("#").split("/")):
            target = target[name]
        return _smallest(target, root, depth - 1)
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return _smallest(schema[union][0], root, depth - 1)
    kind = schema.get("type", "object" if "properties" in schema else "null")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        names = schema.get("required", [])
        return {name: _smallest(properties.get(name, {}), root, depth - 1) for name in names}
    if kind == "array":
        item = schema.get("items", {})
        return [_smallest(item, root, depth - 1) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return "x" * schema.get("minLength", 0)
    if kind in ("integer", "number"):
        least = schema.get("minimum")
        return schema.get("exclusiveMinimum", -1) + 1 if least is None else least
    return False if kind == "boolean" else None
