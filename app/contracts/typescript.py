"""`/api/events.d.ts`: types for the stock Socket.IO client, made of the AsyncAPI document."""

import json
import re
from collections.abc import Mapping
from typing import Any

from app.contracts.asyncapi import REFRESHED, SESSION_EVENTS
from app.contracts.catalogue import Catalogue, Schema, first_line, own_codes_of
from models.operation import COMMON_ERRORS
from namespaces.gateway import REFRESH, REFRESH_ERRORS, RefreshSession

_HEAD = """\
// Types of the Socket.IO namespaces, for socket.io-client: Socket<Stories.ServerToClient, …>.
// Clients ignore fields, events and codes that they do not know.

export interface ApiError<C extends string = string> {
  code: C;
  message: string;
  fields?: Record<string, unknown>;
  retry_after?: number;
}
export type CommonCode = %s;
export type Ack<T, C extends string = never> =
  | { data: T; error?: undefined }
  | { data?: undefined; error: ApiError<C | CommonCode> };
export type Command<P, T, C extends string = never> = (
  payload: P,
  ack: (answer: Ack<T, C>) => void,
) => void;
"""
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_SIMPLE = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def events_d_ts(catalogue: Catalogue) -> str:
    """Return the module's text."""
    parts = [_HEAD % _union(sorted(COMMON_ERRORS))]
    for name, schema in catalogue.components.items():
        parts.append(f"{_comment(schema)}export type {type_name(name)} = {type_of(schema)};\n")
    for commands in catalogue.commands:
        parts.append(_namespace(catalogue, commands.domain))
    return "\n".join(parts)


def type_name(name: str) -> str:
    """Return a component's name as TypeScript can have it."""
    short = re.sub(r"^models\.", "", name)
    words = [word for word in re.split(r"[^A-Za-z0-9]+", short) if word not in ("", "views")]
    return "".join(word[:1].upper() + word[1:].removesuffix("View") for word in words)


def _namespace(catalogue: Catalogue, domain: str) -> str:
    lines = [f"export namespace {domain.capitalize()} {{", "  export interface ServerToClient {"]
    events = [
        (event.name, type_of(catalogue.schema_of(event)), first_line(event.__doc__))
        for event in catalogue.events
        if domain in (event.domain, *event.also_in)
    ]
    events += [(name, type_of(schema), text) for name, (text, schema) in SESSION_EVENTS.items()]
    for name, payload, text in events:
        lines.append(f"    /** {text} */")
        lines.append(f"    {json.dumps(name)}: (event: {payload}, offset?: string) => void;")
    lines += ["  }", "  export interface ClientToServer {"]
    for owner, handler in catalogue.handlers():
        if owner != domain:
            continue
        operation = handler.operation
        lines.append(f"    /** {operation.summary} */")
        payload = type_of(catalogue.request(operation.request))
        answer = type_of(catalogue.schema_of(handler.answer))
        codes = _union(own_codes_of(operation))
        lines.append(f"    {json.dumps(operation.name)}: Command<{payload}, {answer}, {codes}>;")
    lines.append("    /** Replace the token of this connection. */")
    payload = type_of(catalogue.request(RefreshSession()))
    codes = _union([*REFRESH_ERRORS])
    lines.append(f"    {REFRESH}: Command<{payload}, {type_of(REFRESHED)}, {codes}>;")
    return "\n".join([*lines, "  }", "}", ""])


def _comment(schema: Schema) -> str:
    text = str(schema.get("description", "")).replace("*/", "* /")
    return f"/** {text} */\n" if text else ""


def _union(values: list[Any]) -> str:
    return " | ".join(json.dumps(value) for value in values) or "never"


def type_of(schema: Mapping[str, Any], components: Mapping[str, Any] | None = None) -> str:
    """Return a schema as a type; with `components` what it refers to is written out, once."""
    if components is not None and "$ref" in schema:
        return type_of(components[str(schema["$ref"]).rpartition("/")[2]])
    if "$ref" in schema:
        return type_name(str(schema["$ref"]).rpartition("/")[2])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return _union([*schema["enum"]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(type_of(each) for each in schema[several]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of({**schema, "type": each}) for each in kind)
    if kind == "array":
        return f"Array<{type_of(schema.get('items', {}))}>"
    if kind == "object":
        return _object(schema)
    return _SIMPLE.get(str(kind), "unknown")


LINE = 76
"""Characters of a type that stay on one line."""


def spread(text: str, indent: int = 0) -> str:
    """Return a type as `type_of` writes it, with one field a line where it is long."""
    if len(text) + indent <= LINE or "{ " not in text:
        return text
    opening = text.index("{ ")
    closing = _closing(text, opening)
    fields = _fields(text[opening + 2 : closing - 1])
    inner = " " * (indent + 2)
    lines = [f"{inner}{spread(field, indent + 2)};" for field in fields]
    after = spread(text[closing + 1 :], indent)
    return "\n".join([f"{text[:opening]}{{", *lines, f"{' ' * indent}}}{after}"])


def _closing(text: str, opening: int) -> int:
    """Return where the brace is closed that is opened there."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"not closed: {text}")


def _fields(text: str) -> list[str]:
    """Return the fields between a type's braces."""
    found, depth, begin = [], 0, 0
    for place, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == ";" and depth == 0:
            found.append(text[begin:place].strip())
            begin = place + 1
    return [*found, text[begin:].strip()]


def _object(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties")
    if not properties:
        return "Record<string, unknown>" if "additionalProperties" not in schema else "{}"
    required = set(schema.get("required", ()))
    parts = [
        f"{name if _NAME.fullmatch(name) else json.dumps(name)}"
        f"{'' if name in required else '?'}: {type_of(each)}"
        for name, each in properties.items()
    ]
    return "{ " + "; ".join(parts) + " }"
