"""What an application offers, collected for the documents: operations, events and their schemas."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import msgspec
from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields
from marshmallow.validate import Regexp

from app.contracts.errors import command_errors, has_key, request_errors
from app.contracts.samples import Samples
from app.legacy.dialect import Dialect
from app.rest.contract import Answers, Body, Contract, Credential, contract_of
from app.rest.operations import Endpoint
from models.error_codes import ErrorCode
from models.events import PRIVATE_FIELD, Event
from models.fields import Bounded, Input
from models.operation import COMMON_ERRORS, Form, Operation
from namespaces.base import Commands, Handler

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"
OBJECT: Schema = {"type": "object"}

END = r"\Z"
"""How patterns end that are matched from the beginning of a text to its end."""


class Served(Protocol):
    """A domain as it is built."""

    @property
    def commands(self) -> Commands:
        """Its commands."""

    @property
    def rest(self) -> Any:
        """Its routes."""


@dataclass(frozen=True, slots=True)
class HandwrittenRoute:
    """A route of no operation: sign-up, health, what operators do."""

    method: str
    path: str
    summary: str
    contract: Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOperation:
    """A REST route as the documents show it."""

    id: str
    tag: str
    method: str
    path: str
    summary: str
    credential: Credential
    body: Body | None
    query: Input | None
    answers: Answers
    errors: Sequence[ErrorCode]
    """All codes that it may answer with."""

    own_errors: Sequence[ErrorCode]
    """Those that are its own."""

    headers: tuple[str, ...] = ()
    has_place: bool = False
    """Whether `Location` says where what it makes is."""

    command: str | None = None
    """The Socket.IO command that does the same."""


def events() -> list[type[Event]]:
    """Return every event of the models, by domain and name."""

    def below(kind: type[Event]) -> Iterator[type[Event]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    # A dataclass with slots replaces the class that it was made of, which stays a subclass.
    found = {
        (each.domain, each.name): each
        for each in below(Event)
        if each.__module__.startswith("models.") and hasattr(each, "name")
    }
    return [found[key] for key in sorted(found)]


class Catalogue:
    """All that the documents are made of."""

    def __init__(
        self,
        domains: Sequence[Served],
        dialects: Sequence[type[Dialect]] = (),
        handwritten: Sequence[HandwrittenRoute] = (),
    ) -> None:
        self.commands: list[Commands] = [domain.commands for domain in domains]
        self.endpoints: list[tuple[str, Endpoint]] = [
            (domain.commands.domain, endpoint)
            for domain in domains
            for endpoint in domain.rest.endpoints
        ]
        self.dialects = dialects
        self.handwritten = handwritten
        self.events = events()
        self._converter = OpenAPIConverter("3.1.0", lambda schema: None, APISpec("", "", "3.1.0"))
        for describe in (_length, _pattern):
            self._converter.add_attribute_function(describe)  # type: ignore[no-untyped-call]

    def handlers(self) -> Iterator[tuple[str, Handler]]:
        """Yield each command with its domain."""
        for commands in self.commands:
            for handler in commands.handlers.values():
                yield commands.domain, handler

    @cached_property
    def rest(self) -> list[RestOperation]:
        """The REST routes, those of the domains first."""
        names: set[str] = set()
        found = [_of_endpoint(domain, endpoint, names) for domain, endpoint in self.endpoints]
        known = {(each.method, each.path) for each in found}
        for route in self.handwritten:
            if (route.method, route.path) not in known:
                found.append(_of_handler(route, names))
        return found

    @cached_property
    def _schemas(self) -> tuple[dict[Any, Schema], dict[str, Schema]]:
        answers: list[Any] = [each.answer for _, each in self.endpoints]
        answers += [kind for route in self.rest for kind in route.answers.values()]
        answers += [handler.answer for _, handler in self.handlers()]
        kinds = {repr(kind): kind for kind in [*answers, *self.events] if _is_typed(kind)}
        made, components = _schemas_of(kinds.values())
        return dict(zip(kinds, made, strict=True)), dict(sorted(components.items()))

    @property
    def components(self) -> dict[str, Schema]:
        """The schemas of all types by name."""
        return self._schemas[1]

    @cached_property
    def samples(self) -> Samples:
        """What makes examples of these schemas."""
        return Samples(self.components)

    def example_of(self, schema: Input) -> Any:
        """Return an example of what a client sends as JSON."""
        return self.samples.request(self.request(schema), type(schema).__name__)

    def schema_of(self, kind: Any) -> Schema:
        """Return the schema of an answer or an event."""
        if kind is None:
            return {"type": "null"}
        if isinstance(kind, InChannelForm):
            return self._in_channel_form(self.schema_of(kind.answer))
        return self._schemas[0].get(repr(kind), OBJECT)

    def _in_channel_form(self, schema: Schema) -> Schema:
        """Return the schema of an answer in the form of docs/older-apis/channel-chat.md."""
        properties: dict[str, Schema] = {"success": {"const": True}}
        page = self._resolved(schema).get("properties", {})
        if "items" in page:
            items = self._in_channel_terms(page["items"]["items"])
            properties["data"] = {"type": "array", "items": items}
            properties["page"] = record(
                **{name: each for name, each in page.items() if name != "items"}
            )
        else:
            properties["data"] = self._in_channel_terms(schema)
        return record(**properties)

    def _in_channel_terms(self, schema: Schema) -> Schema:
        """Return the schema of a thing, of a message with the older API's names next to ours."""
        thing = self._resolved(schema)
        if "author_email" not in thing.get("properties", {}):
            return schema
        more = {"channel_id": {"type": "string"}, "user_email": {"type": ["string", "null"]}}
        return {
            **thing,
            "properties": {**thing["properties"], **more},
            "required": [*thing["required"], *more],
        }

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" not in schema:
            return schema
        return self.components[str(schema["$ref"]).rpartition("/")[2]]

    def request(self, schema: Input) -> Schema:
        """Return the schema of what a client sends as JSON."""
        made = self._converter.schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        made["additionalProperties"] = False
        made["description"] = inspect.cleandoc(type(schema).__doc__ or "")
        described: Schema = _plain(made)
        return described

    def parameters(self, schema: Input) -> list[Schema]:
        """Return the parameters of a query."""
        return [
            _plain(each) for each in self._converter.schema2parameters(schema, location="query")
        ]


@dataclass(frozen=True, slots=True)
class InChannelForm:
    """The answer of an operation in the form of docs/older-apis/channel-chat.md."""

    answer: Any


def record(**properties: Schema) -> Schema:
    """Return the schema of an object that has all of these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


_CREDENTIALS = {
    Form.PLAIN: Credential.ACCOUNT,
    Form.PUBLIC: Credential.NONE,
    Form.CHAT: Credential.CHAT,
    Form.CHANNEL_CHAT: Credential.CHAT,
}


def _unique(name: str, names: set[str]) -> str:
    number, found = 1, name
    while found in names:
        number += 1
        found = f"{name}.{number}"
    names.add(found)
    return found


def _of_endpoint(domain: str, endpoint: Endpoint, names: set[str]) -> RestOperation:
    operation, route = endpoint.operation, endpoint.route
    credential = _CREDENTIALS[route.form]
    body: Body | None = endpoint.schema if route.has_body else None
    query = endpoint.schema if route.has_query else None
    answers: Answers = {204: None}
    if route.form is Form.CHANNEL_CHAT:
        answers = {route.status: InChannelForm(endpoint.answer)}
    elif endpoint.answer is not None:
        answers = {route.status: endpoint.answer}
    own = operation.all_errors
    headers: tuple[str, ...] = ("Idempotency-Key",)
    if route.special:
        declared = contract_of(endpoint.handler)
        assert declared is not None, f"the handler of {operation.name} has no contract"
        credential, body, query = declared.credential, declared.body, declared.query
        answers, headers = declared.answers, declared.headers
        own |= {*declared.errors}
    return RestOperation(
        id=_unique(f"{domain}.{operation.name}", names),
        tag=domain,
        method=route.method,
        path=route.path,
        summary=operation.summary,
        credential=credential,
        body=body,
        query=query,
        answers=answers,
        errors=request_errors(
            own, method=route.method, path=route.path, credential=credential, body=body
        ),
        own_errors=sorted(own),
        headers=(
            *(headers if has_key(route.method, route.path) else ()),
            *(["If-Match"] if operation.has_version else ()),
        ),
        has_place=endpoint.place is not None,
        command=operation.name if operation.command else None,
    )


def _of_handler(route: HandwrittenRoute, names: set[str]) -> RestOperation:
    declared = route.contract
    keyed = has_key(route.method, route.path)
    return RestOperation(
        id=_unique(f"{route.method.lower()} {route.path}", names),
        tag=declared.tag,
        method=route.method,
        path=route.path,
        summary=route.summary,
        credential=declared.credential,
        body=declared.body,
        query=declared.query,
        answers=declared.answers,
        errors=request_errors(
            declared.errors,
            method=route.method,
            path=route.path,
            credential=declared.credential,
            body=declared.body,
        ),
        own_errors=sorted(declared.errors),
        headers=(*declared.headers, *(["Idempotency-Key"] if keyed else ())),
    )


def standalone(kind: Any) -> Schema:
    """Return the schema of one answer or event, with all that it refers to."""
    if kind is None:
        return {"type": "null"}
    if not _is_typed(kind):
        return OBJECT
    (made,), components = _schemas_of([kind])
    return {**made, "components": {"schemas": components}}


def own_codes_of(operation: Operation[Any]) -> list[ErrorCode]:
    """Return the codes that a command has besides those that any may answer with."""
    return [code for code in command_errors(operation) if code not in COMMON_ERRORS]


def first_line(text: str | None) -> str:
    """Return the first line of a docstring, as a summary."""
    return inspect.cleandoc(text or "").partition("\n")[0]


def _length(converter: OpenAPIConverter, field: fields.Field[Any], **_: Any) -> Schema:
    """Describe the bounds that `models.fields` checks first."""
    if not isinstance(field, Bounded):
        return {}
    if field.takes:
        return _takes(field)
    kind = next(
        (
            kind
            for cls, kind in ((fields.List, "Items"), (fields.String, "Length"))
            if isinstance(field, cls)
        ),
        None,
    )
    if kind is None:
        return {}
    bounds = {f"max{kind}": field.length.max}
    if field.length.min is not None:
        bounds[f"min{kind}"] = field.length.min
    return bounds


def _pattern(converter: OpenAPIConverter, field: fields.Field[Any], **_: Any) -> Schema:
    """Write a pattern as JSON Schema has them: searched for, and without Python's `\\Z`."""
    patterns = [str(each.regex.pattern) for each in field.validators if isinstance(each, Regexp)]
    return {"pattern": f"^(?:{patterns[0].removesuffix(END)})$"} if patterns else {}


def _takes(field: Bounded[Any]) -> Schema:
    """Return the schema of a field that says what it takes."""
    taken = dict(field.takes)
    if field.allow_none and "type" in taken:
        kinds = taken["type"]
        taken["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
    return taken


def _is_typed(kind: Any) -> bool:
    return (isinstance(kind, type) and issubclass(kind, Event)) or _named(kind)


def _named(kind: Any) -> bool:
    origin = getattr(kind, "__origin__", kind)
    return hasattr(origin, "__required_keys__")


def _schemas_of(kinds: Iterable[Any]) -> tuple[Sequence[Schema], dict[str, Schema]]:
    """Return the schemas of some types, and those that they refer to by name."""
    made, components = msgspec.json.schema_components(kinds, ref_template=REF)
    for component in components.values():
        _tidy(component)
    # The private parts of events are not shown.
    used = _used(made, components)
    return made, {name: each for name, each in components.items() if name in used}


def _used(schemas: Iterable[Any], components: Mapping[str, Schema]) -> set[str]:
    """Return the names of the components that some schemas refer to, and those that these do."""
    found: set[str] = set()
    waiting = [*schemas]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            reference = value.get("$ref")
            if isinstance(reference, str):
                name = reference.rpartition("/")[2]
                if name not in found:
                    found.add(name)
                    waiting.append(components[name])
    return found


def _tidy(component: Schema) -> None:
    if "description" in component:
        component["description"] = inspect.cleandoc(component["description"])
    properties = component.get("properties", {})
    if properties.pop(PRIVATE_FIELD, None) is not None:
        component["required"] = [n for n in component["required"] if n != PRIVATE_FIELD]
    component.pop("title", None)
    if component.get("type") == "object":
        # Clients must ignore new fields; the checker in tests must not.
        component.setdefault("additionalProperties", False)


def _plain(value: Any) -> Any:
    """Return the value as JSON can have it: enumerations of tuples, dates as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)


def joined(parts: Iterable[str]) -> str:
    """Return names as they stand in a sentence."""
    return ", ".join(f"`{part}`" for part in parts)
