"""`/api/asyncapi.json`: Socket.IO namespaces and the older APIs, as AsyncAPI 3."""

from typing import Any

from app.contracts.catalogue import Catalogue, Schema, first_line, record
from app.contracts.errors import command_errors
from app.legacy.dialect import Dialect, Frame
from app.legacy.examples import NULLABLE, RECEIVED, SENT
from models.endings import SERVER_NOTICE, SESSION_ENDING, SESSION_EXPIRING, SESSION_GAP
from models.error_codes import CATALOGUE
from models.fields import Input
from models.operation import COMMON_ERRORS
from namespaces.gateway import REFRESH, REFRESH_ERRORS, RefreshSession

SESSION_EVENTS: dict[str, tuple[str, Schema]] = {
    SESSION_EXPIRING: (
        "The token ends in a minute: send `refresh_session`.",
        record(expires_at={"type": "string"}),
    ),
    SESSION_GAP: (
        "Events were lost on their way to this client: catch up as after a new connection.",
        record(message={"type": "string"}),
    ),
    SERVER_NOTICE: (
        "A notice of an operator to everyone who is connected.",
        record(text={"type": "string"}, sent_at={"type": "string"}),
    ),
    SESSION_ENDING: (
        "The last event before the server ends the connection, and whether to come back.",
        record(
            code={"enum": sorted(CATALOGUE)},
            message={"type": "string"},
            reconnect={"type": "boolean"},
        ),
    ),
}
"""Events that every namespace has."""

REFRESHED = record(expires_at={"type": ["string", "null"]})


def asyncapi(catalogue: Catalogue) -> Schema:
    """Return the document."""
    document = _Document(catalogue)
    for commands in catalogue.commands:
        document.add_namespace(commands.domain)
    for dialect in catalogue.dialects:
        document.add_dialect(dialect)
    return document.whole()


def ack_schema(data: Schema, codes: list[Any]) -> Schema:
    """Return the schema of an answer: `data`, or an `error` with one of these codes."""
    error = {
        "type": "object",
        "properties": {
            "code": {"enum": codes},
            "message": {"type": "string"},
            "fields": {"type": "object"},
            "retry_after": {"type": "number"},
        },
        "required": ["code", "message"],
        "additionalProperties": False,
    }
    return {"oneOf": [record(data=data), record(error=error)]}


def like(example: object, *, nullable: bool = False) -> Schema:
    """Return the schema of values like an example: with its fields, all optional, and no others."""
    if isinstance(example, dict):
        fields = {name: like(each, nullable=name in NULLABLE) for name, each in example.items()}
        return {"type": "object", "properties": fields, "additionalProperties": False}
    kind = "integer" if isinstance(example, int) else "string"
    return {"type": [kind, "null"] if nullable else kind}


def sent_frame(dialect: type[Dialect], kind: str) -> Schema:
    """Return the schema of a frame that clients of an older API receive."""
    schema = like(SENT.get(dialect.name, {}).get(kind, {}))
    schema["properties"] = {**schema["properties"], dialect.type_field: {"const": kind}}
    return {**schema, "required": [dialect.type_field]}


def received_frame(dialect: type[Dialect], kind: str) -> Schema:
    """Return the schema of a frame that clients send, which may have more fields."""
    schema = like(RECEIVED.get(dialect.name, {}).get(kind, {}))
    return {
        "type": "object",
        "properties": {**schema["properties"], dialect.type_field: {"const": kind}},
        "required": [dialect.type_field],
    }


class _Document:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._channels: dict[str, Schema] = {}
        self._operations: dict[str, Schema] = {}
        self._messages: dict[str, Schema] = {}

    def whole(self) -> Schema:
        """Return all that was added."""
        return {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Socket.IO namespaces and the older WebSocket APIs",
                "version": "1",
                "description": "Clients ignore fields, events and codes that they do not know.",
            },
            "defaultContentType": "application/json",
            "channels": self._channels,
            "operations": self._operations,
            "components": {"messages": self._messages, "schemas": self._catalogue.components},
        }

    def add_namespace(self, domain: str) -> None:
        """Add the commands and events of a namespace."""
        self._channels[domain] = {
            "address": f"/{domain}",
            "description": "A Socket.IO namespace; connect with `auth: {token}`.",
            "messages": {},
        }
        catalogue = self._catalogue
        for owner, handler in catalogue.handlers():
            if owner == domain:
                operation = handler.operation
                answer = catalogue.schema_of(handler.answer)
                self._command(
                    domain,
                    operation.name,
                    operation.summary,
                    operation.request,
                    answer,
                    command_errors(operation),
                )
        codes = sorted({*COMMON_ERRORS, *REFRESH_ERRORS})
        summary = "Replace the token of this connection."
        self._command(domain, REFRESH, summary, RefreshSession(), REFRESHED, codes)
        for event in catalogue.events:
            if domain in (event.domain, *event.also_in):
                schema = catalogue.schema_of(event)
                example = catalogue.samples.of(schema)
                self._send(domain, event.name, first_line(event.__doc__), schema, example)
        for name, (summary, schema) in SESSION_EVENTS.items():
            self._send(domain, name, summary, schema, catalogue.samples.of(schema))

    def add_dialect(self, dialect: type[Dialect]) -> None:
        """Add the frames of an older API, as far as its dialect declares them."""
        channel = f"older.{dialect.name}"
        pages = ", ".join(f"docs/older-apis/{page}.md" for page in dialect.pages)
        closes = {
            str(info.close_code): code
            for code, info in sorted(CATALOGUE.items())
            if info.close_code is not None
        }
        self._channels[channel] = {
            "address": dialect.path,
            "description": f"An older WebSocket API; its frames are described in {pages}.",
            "messages": {},
            "x-close-codes": dict(sorted(closes.items())),
        }
        received = RECEIVED.get(dialect.name, {})
        for kind in sorted({*dialect.receives, *received}):
            schema, example = received_frame(dialect, kind), received.get(kind)
            summary = f"A `{kind}` frame."
            message = self._message(channel, f"{kind}.received", summary, schema, example)
            self._operations[f"{channel}.receive.{kind}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{channel}"},
                "messages": [message],
            }
        sent = SENT.get(dialect.name, {})
        for kind in sorted({*(event for _, event in dialect.frames), *sent}):
            schema = sent_frame(dialect, kind)
            self._send(channel, kind, f"The `{kind}` frame.", schema, sent.get(kind))

    def _command(
        self,
        channel: str,
        name: str,
        summary: str,
        request: Input,
        data: Schema,
        codes: list[Any],
    ) -> None:
        catalogue = self._catalogue
        sent = self._message(
            channel,
            f"{name}.command",
            summary,
            catalogue.request(request),
            catalogue.example_of(request),
        )
        reply = self._message(
            channel,
            f"{name}.ack",
            f"The answer to `{name}`.",
            ack_schema(data, codes),
            {"data": catalogue.samples.of(data)},
        )
        self._operations[f"{channel}.{name}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
            "messages": [sent],
            "reply": {"channel": {"$ref": f"#/channels/{channel}"}, "messages": [reply]},
        }

    def _send(
        self, channel: str, name: str, summary: str, schema: Schema, example: Frame | None = None
    ) -> None:
        message = self._message(channel, name, summary, schema, example)
        self._operations[f"{channel}.send.{name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": summary,
            "messages": [message],
        }

    def _message(
        self,
        channel: str,
        name: str,
        summary: str,
        payload: Schema,
        example: Frame | None = None,
    ) -> Schema:
        """Add a message; returns the reference to it in its channel."""
        key = f"{channel}.{name}"
        assert key not in self._messages, f"{key} is there twice"
        described: Schema = {"name": name, "summary": summary, "payload": payload}
        if example is not None:
            described["examples"] = [{"name": name, "payload": example}]
        self._messages[key] = described
        self._channels[channel]["messages"][name] = {"$ref": f"#/components/messages/{key}"}
        return {"$ref": f"#/channels/{channel}/messages/{name}"}
