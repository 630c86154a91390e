"""`/api/openapi.json`: the REST routes, as OpenAPI 3.1."""

from http import HTTPStatus
from typing import Any

from app.contracts.catalogue import Catalogue, RestOperation, Schema, joined
from app.contracts.errors import by_status
from app.contracts.samples import sample
from app.rest.contract import Content, Credential
from models.error_codes import CATALOGUE, ErrorCode
from models.operation import parameters_of

PROBLEM = "application/problem+json"

_HEADERS: dict[str, Schema] = {
    "Idempotency-Key": {
        "description": "Under one key a request is carried out once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 257},
    },
    "If-Match": {
        "description": "The `ETag` of the version that a change is of; of another one it is 412.",
        "schema": {"type": "string"},
    },
    "If-None-Match": {
        "description": "The `ETag` of what the client has.",
        "schema": {"type": "string"},
    },
    "If-Range": {
        "description": "The `ETag` of what a part is wanted of.",
        "schema": {"type": "string"},
    },
    "Range": {"description": "Which bytes are wanted.", "schema": {"type": "string"}},
}


_PLACE: Schema = {
    "Location": {
        "description": "The path of what was made.",
        "schema": {"type": "string"},
    }
}


def openapi(catalogue: Catalogue) -> Schema:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in catalogue.rest:
        described = _operation(catalogue, operation)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "REST API",
            "version": "1",
            "description": "Clients ignore fields, codes and values that they do not know.",
        },
        "paths": {path: dict(sorted(paths[path].items())) for path in sorted(paths)},
        "components": {
            "schemas": {**catalogue.components, "Problem": problem_schema()},
            "examples": {code: {"value": _problem(code)} for code in sorted(CATALOGUE)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(catalogue: Catalogue, operation: RestOperation) -> Schema:
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.credential is Credential.OPERATOR or "not_an_operator" in operation.own_errors:
        described["description"] = "For operators."
    parameters = [_in_path(each) for each in parameters_of(operation.path)]
    parameters += [_header(name) for name in operation.headers]
    if operation.query is not None:
        parameters += map(_with_example, catalogue.parameters(operation.query))
    if parameters:
        described["parameters"] = parameters
    if isinstance(operation.body, Content):
        described["requestBody"] = {"content": {operation.body.content_type: {}}}
    elif operation.body is not None:
        described["requestBody"] = {
            "content": {
                "application/json": {
                    "schema": catalogue.request(operation.body),
                    "example": catalogue.example_of(operation.body),
                }
            }
        }
    described["responses"] = _responses(catalogue, operation)
    described["security"] = [] if operation.credential is Credential.NONE else [{"token": []}]
    return described


def _responses(catalogue: Catalogue, operation: RestOperation) -> Schema:
    responses: dict[int, Schema] = {}
    for status, codes in by_status(operation.errors).items():
        meaning = " ".join(f"`{each}`: {CATALOGUE[each].meaning}" for each in codes)
        problem = {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": codes}}}
        responses[status.value] = {
            "description": meaning,
            "content": {PROBLEM: {"schema": problem, "examples": _example(codes[0])}},
        }
    for number, kind in operation.answers.items():
        answer = responses.setdefault(number, {"description": HTTPStatus(number).phrase})
        if isinstance(kind, Content):
            answer.setdefault("content", {})[kind.content_type] = {}
        elif kind is not None:
            schema = catalogue.schema_of(kind)
            answer.setdefault("content", {})["application/json"] = {
                "schema": schema,
                "example": catalogue.samples.of(schema),
            }
    if operation.has_place:
        responses[HTTPStatus.CREATED]["headers"] = _PLACE
    return {str(status): responses[status] for status in sorted(responses)}


def _header(name: str) -> Schema:
    shown = _HEADERS.get(name, {"schema": {"type": "string"}})
    return {"in": "header", "name": name, **shown}


def _in_path(name: str) -> Schema:
    return _with_example(
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
    )


def _with_example(parameter: Schema) -> Schema:
    """Add an example to a parameter without which no request can be made."""
    if not parameter.get("required"):
        return parameter
    return {**parameter, "example": sample(parameter["schema"], parameter["name"])}


def _example(code: ErrorCode) -> Schema:
    """Return the example of an error, which stands among the components."""
    return {code: {"$ref": f"#/components/examples/{code}"}}


def _problem(code: ErrorCode) -> Schema:
    """Return an example of an error's document."""
    status = CATALOGUE[code].status
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "message": CATALOGUE[code].meaning,
        "detail": CATALOGUE[code].meaning,
    }


def problem_schema() -> Schema:
    """Return the schema of an error's document (RFC 9457)."""
    return {
        "description": f"An error. Codes: {joined(sorted(CATALOGUE))}.",
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"enum": sorted(CATALOGUE)},
            "message": {"type": "string"},
            "fields": {"type": "object", "description": "What is wrong, by field."},
            "retry_after": {"type": "integer", "description": "Seconds, as in the header."},
            "detail": {"type": "string", "description": "The `message`, as RFC 9457 names it."},
            "errors": {"type": "object", "description": "The `fields`, by their former name."},
        },
        "required": ["type", "title", "status", "code", "message", "detail"],
        "additionalProperties": False,
    }
