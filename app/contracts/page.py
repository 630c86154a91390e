"""`/docs`: the contracts as a page that reads without scripts; one adds search and copying."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any

from app.contracts.asyncapi import SESSION_EVENTS
from app.contracts.catalogue import Catalogue, RestOperation, first_line, own_codes_of
from app.contracts.typescript import spread, type_name, type_of
from app.legacy.dialect import Dialect
from app.legacy.examples import RECEIVED, SENT
from app.rest.contract import Body, Content, Credential
from models.endings import SESSION_ENDING
from models.error_codes import CATALOGUE, GROUPS
from models.operation import COMMON_ERRORS
from namespaces.base import Handler

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="stylesheet" href="/docs/style.css">
<script src="/docs/search.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>API</h1>
<p class="files"><a href="/api/openapi.json">OpenAPI 3.1</a>
<a href="/api/asyncapi.json">AsyncAPI 3</a> <a href="/api/events.d.ts">TypeScript types</a></p>
<p class="search" hidden><label for="q">Search</label> <input id="q" type="search">
<output for="q"></output></p>
</header>
"""

_START = """<section id="start"><h2>Start</h2>
<p>Log in with <code>POST /login</code>; the token goes into <code>Authorization</code> over REST
and into <code>auth</code> over Socket.IO.</p>
<pre><code>curl -X POST $HOST/stories -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" -H "Idempotency-Key: 1" \\
  -d '{"text": "Hello World", "visibility": "PUBLIC"}'</code></pre>
<pre><code>import { io } from "socket.io-client";

const stories = io(`${host}/stories`, { auth: { token } });
stories.on("story.created", (event) =&gt; show(event));
const { data, error } = await stories.emitWithAck("list_stories", { limit: 20 });</code></pre>
<p>An answer over Socket.IO is <code>{"data": …}</code> or
<code>{"error": {"code", "message"}}</code>;
an error over REST is <code>application/problem+json</code> with <code>code</code> and
<code>detail</code>. Any operation may answer with these codes: COMMON. Over REST there are also
those of tokens, of bodies and of <code>Idempotency-Key</code>; OpenAPI lists all codes of each
route.</p></section>
"""

_FOR = {
    Credential.NONE: "anyone, without a token",
    Credential.OPERATOR: "operators",
    Credential.SERVICE: "other services, by their token",
}


def page(catalogue: Catalogue) -> str:
    """Return the page."""
    return _Page(catalogue).whole()


class _Page:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        names = sorted(map(type_name, catalogue.components), key=len, reverse=True)
        self._names = re.compile(rf"\b({'|'.join(names)})\b")
        self._contents: list[str] = []

    def whole(self) -> str:
        catalogue = self._catalogue
        parts = [_START.replace("COMMON", _codes(sorted(COMMON_ERRORS)))]
        self._contents.append('<li><a href="#start">Start</a></li>')
        tags = ["accounts", *(each.tag for each in catalogue.rest)]
        rest = sorted(catalogue.rest, key=lambda each: tags.index(each.tag))
        parts.append(self._section("rest", "REST", rest, lambda each: each.tag, self._route))
        commands = list(catalogue.handlers())
        parts.append(
            self._section(
                "commands", "Commands", commands, lambda each: f"/{each[0]}", self._command
            )
        )
        events = [*catalogue.events, *SESSION_EVENTS]
        parts.append(self._section("events", "Events", events, _namespace, self._event))
        dialects = list(catalogue.dialects)
        parts.append(
            self._section("older", "Older APIs", dialects, lambda each: each.path, self._dialect)
        )
        components = list(catalogue.components.items())
        parts.append(self._section("types", "Types", components, lambda each: "", self._type))
        codes = [(group, code) for group, each in GROUPS.items() for code in each]
        parts.append(self._section("errors", "Error codes", codes, lambda each: each[0], _error))
        contents = f'<nav aria-label="Contents"><ul>{"".join(self._contents)}</ul></nav>\n'
        main = f'<main id="content">\n{"".join(parts)}</main>\n'
        return f"{_HEAD}{contents}{main}</body>\n</html>\n"

    def _section(
        self,
        name: str,
        title: str,
        entries: Iterable[Any],
        group_of: Callable[[Any], str],
        show: Callable[[Any], str],
    ) -> str:
        parts, links = [], []
        for group, members in groupby(entries, group_of):
            shown = "".join(map(show, members))
            if group:
                anchor = f"{name}-{re.sub('[^a-z0-9]+', '-', group.lower()).strip('-')}"
                links.append(f'<li><a href="#{anchor}">{escape(group)}</a></li>')
                heading = f'<h3 id="{anchor}">{escape(group)}</h3>\n'
                shown = f'<div class="group">{heading}{shown}</div>\n'
            parts.append(shown)
        inner = f"<ul>{''.join(links)}</ul>" if links else ""
        self._contents.append(f'<li><a href="#{name}">{escape(title)}</a>{inner}</li>')
        return f'<section id="{name}"><h2>{escape(title)}</h2>\n{"".join(parts)}</section>\n'

    def _route(self, operation: RestOperation) -> str:
        title = f"{operation.method} {operation.path}"
        same = ""
        if operation.command:
            anchor = f"{operation.tag}.{operation.command}"
            same = f'<a href="#{anchor}">{operation.command}</a>'
        return _entry(
            _anchor(f"rest.{title}"),
            f'<span class="method">{operation.method}</span> <code>{escape(operation.path)}</code>',
            operation.summary,
            ("Body", self._sent(operation.body)),
            ("Query", self._sent(operation.query)),
            *self._answers(operation),
            ("Errors", _codes(operation.own_errors)),
            ("For", _FOR.get(operation.credential, "")),
            ("Command", same),
            example=self._curl(operation),
        )

    def _sent(self, sent: Body | None) -> str:
        if sent is None:
            return ""
        if isinstance(sent, Content):
            return f"<code>{escape(sent.content_type)}</code>"
        return self._shape(self._catalogue.request(sent))

    def _answers(self, operation: RestOperation) -> Iterator[tuple[str, str]]:
        for status, kind in operation.answers.items():
            if kind is None:
                yield str(status), "no content"
            elif isinstance(kind, Content):
                yield str(status), f"<code>{escape(kind.content_type)}</code>"
            else:
                yield str(status), self._shape(self._catalogue.schema_of(kind))

    def _curl(self, operation: RestOperation) -> str:
        words = ["curl"] + ([] if operation.method == "GET" else ["-X", operation.method])
        words.append(f'"$HOST{operation.path}"')
        if operation.credential is not Credential.NONE:
            words.append('-H "Authorization: Bearer $TOKEN"')
        if isinstance(operation.body, Content):
            words.append(f"-H 'Content-Type: {operation.body.content_type}' --data-binary @file")
        elif operation.body is not None:
            values = json.dumps(self._catalogue.example_of(operation.body), ensure_ascii=False)
            words.append(f"-H 'Content-Type: application/json' -d '{values}'")
        return " ".join(words)

    def _command(self, entry: tuple[str, Handler]) -> str:
        domain, handler = entry
        operation = handler.operation
        request = self._catalogue.request(operation.request)
        values = json.dumps(self._catalogue.example_of(operation.request), ensure_ascii=False)
        return _entry(
            f"{domain}.{operation.name}",
            f"<code>{operation.name}</code>",
            operation.summary,
            ("Payload", self._shape(request)),
            ("Data", self._shape(self._catalogue.schema_of(handler.answer))),
            ("Errors", _codes(own_codes_of(operation))),
            ("Slow", "Later commands do not wait for its answer." if operation.slow else ""),
            example=f"const {{ data, error }} = await {domain}.emitWithAck("
            f"{json.dumps(operation.name)}, {values});",
        )

    def _event(self, event: Any) -> str:
        if isinstance(event, str):
            summary, schema = SESSION_EVENTS[event]
            # Its code may be any of the catalogue.
            shown = {**schema, "properties": {**schema["properties"], "code": {"type": "string"}}}
            schema = shown if event == SESSION_ENDING else schema
            return _entry(
                f"event.{event}", f"<code>{event}</code>", summary, ("Data", self._shape(schema))
            )
        schema = self._catalogue.schema_of(event)
        shape = self._shape(self._catalogue.components[schema["$ref"].rpartition("/")[2]])
        return _entry(
            f"event.{event.domain}.{event.name}",
            f"<code>{event.name}</code>",
            first_line(event.__doc__),
            ("Data", shape),
        )

    def _dialect(self, dialect: type[Dialect]) -> str:
        return _entry(
            f"older.{dialect.name}",
            f"<code>{escape(dialect.path)}</code>",
            f"Described in docs/older-apis: {', '.join(dialect.pages)}.",
            ("Sends", _frames(SENT.get(dialect.name, {}))),
            ("Receives", _frames(RECEIVED.get(dialect.name, {}))),
        )

    def _type(self, entry: tuple[str, Mapping[str, Any]]) -> str:
        name, schema = type_name(entry[0]), entry[1]
        return _entry(
            f"type.{name}",
            f"<code>{name}</code>",
            first_line(schema.get("description")),
            ("Fields", self._shape(schema)),
            level=3,
        )

    def _shape(self, schema: Mapping[str, Any]) -> str:
        """Return a schema as a type whose names lead to their types."""
        text = escape(spread(type_of(schema)), quote=False)
        linked = self._names.sub(r'<a href="#type.\1">\1</a>', text)
        return f"<code>{linked}</code>"


def _namespace_of(entry: tuple[str, Handler]) -> str:
    return f"/{entry[0]}"


def _namespace(event: Any) -> str:
    if isinstance(event, str):
        return "every namespace"
    return " and ".join(f"/{name}" for name in (event.domain, *event.also_in))


def _anchor(text: str) -> str:
    return text.replace(" ", ".")


def _entry(
    anchor: str,
    title: str,
    summary: str,
    *facts: tuple[str, str],
    example: str = "",
    level: int = 4,
) -> str:
    rows = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts if text)
    shown = f"<dl>{rows}</dl>" if rows else ""
    if example:
        pre = f"<pre><code>{escape(example, quote=False)}</code></pre>"
        shown += f"<details><summary>Example</summary>{pre}</details>"
    text = f"<p>{_prose(summary)}</p>" if summary else ""
    heading = f'<h{level}><a href="#{escape(anchor)}">{title}</a></h{level}>'
    return f'<article id="{escape(anchor)}">{heading}{text}{shown}</article>\n'


def _prose(text: str) -> str:
    """Return text whose code stands in backticks, as docstrings have it."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _codes(codes: Iterable[str]) -> str:
    return ", ".join(f'<a href="#error.{code}"><code>{code}</code></a>' for code in codes)


def _frames(frames: Mapping[str, Any]) -> str:
    shown = (json.dumps(frame, ensure_ascii=False, indent=2) for frame in frames.values())
    return "".join(f"<pre><code>{escape(each, quote=False)}</code></pre>" for each in shown)


def _error(entry: tuple[str, Any]) -> str:
    code = entry[1]
    info = CATALOGUE[code]
    return _entry(
        f"error.{code}",
        f"<code>{code}</code>",
        info.meaning,
        ("Status", str(info.status.value)),
        ("Close code", "" if info.close_code is None else str(info.close_code)),
        ("Repeat", {"no": "no", "later": "later", "login": "after a login"}[info.repeat]),
    )
