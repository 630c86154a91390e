"""The examples in the documents are as their schemas say, and a server with the demo takes them."""

import re
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs
import pytest

from app.contracts.asyncapi import asyncapi
from app.contracts.openapi import PROBLEM, openapi
from app.contracts.routes import CATALOGUE
from models.fields import Input, load
from models.operation import parameters_of

JSON = "application/json"


@pytest.fixture
def catalogue(server):
    return server.app[CATALOGUE]()


def valid(document, schema, example):
    """Whether an example is as a schema of a document says."""
    whole = {**schema, "components": {"schemas": document["components"]["schemas"]}}
    return jsonschema_rs.is_valid(whole, example)


def routes(document):
    """Yield each operation with its name."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_request_has_an_example(catalogue):
    """It is as the schema says, and as the server loads it."""
    document = openapi(catalogue)
    sent = {
        name: operation["requestBody"]["content"][JSON]
        for name, operation in routes(document)
        if JSON in operation.get("requestBody", {}).get("content", {})
        if "schema" in operation["requestBody"]["content"][JSON]
    }
    assert len(sent) > 50
    wrong = {
        name for name, each in sent.items() if not valid(document, each["schema"], each["example"])
    }
    assert wrong == set()
    for route in catalogue.rest:
        if isinstance(route.body, Input):
            load(route.body, sent[f"{route.method} {route.path}"]["example"])


def test_every_answer_has_an_example(catalogue):
    """Every answer that has a schema, errors included."""
    document = openapi(catalogue)
    answers = {
        f"{name} {status}": content
        for name, operation in routes(document)
        for status, response in operation["responses"].items()
        for kind, content in response.get("content", {}).items()
        if kind == JSON and "schema" in content
    }
    assert len(answers) > 100
    for name, each in answers.items():
        assert valid(document, each["schema"], each["example"]), name


def test_every_error_has_an_example(catalogue):
    """Each answer that is an error refers to the example of one of its codes."""
    document = openapi(catalogue)
    examples = document["components"]["examples"]
    for name, operation in routes(document):
        for status, response in operation["responses"].items():
            error = response.get("content", {}).get(PROBLEM)
            if error is None:
                continue
            for code, reference in error["examples"].items():
                example = examples[reference["$ref"].rpartition("/")[2]]["value"]
                assert example["code"] == code
                assert example["status"] == int(status)
                assert valid(document, error["schema"], example), (name, status)


def test_what_a_request_needs_has_an_example(catalogue):
    """Parameters of the path, and those of the query without which it is refused."""
    document = openapi(catalogue)
    needed = [
        each
        for _, operation in routes(document)
        for each in operation.get("parameters", ())
        if each.get("required")
    ]
    assert len(needed) > 50
    for each in needed:
        assert valid(document, each["schema"], each["example"]), each


def test_every_message_of_the_namespaces_has_an_example(catalogue):
    """Commands, their answers and events."""
    document = asyncapi(catalogue)
    messages = {
        name: each
        for name, each in document["components"]["messages"].items()
        if not name.startswith("older.")
    }
    assert len(messages) > 100
    for name, each in messages.items():
        (example,) = each["examples"]
        assert valid(document, each["payload"], example["payload"]), name


def test_no_example_has_a_value_without_a_chosen_value(catalogue):
    """A text whose field has no value of its own would be shown as a date."""
    document = openapi(catalogue)

    def texts(value: Any, name: str = ""):
        if isinstance(value, dict):
            for field, each in value.items():
                yield from texts(each, field)
        elif isinstance(value, list):
            for each in value:
                yield from texts(each, name)
        elif isinstance(value, str):
            yield name, value

    shown = {
        found
        for _, operation in routes(document)
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        for found in texts(content.get("example", {}))
    }
    assert len(shown) > 150
    dates = {name for name, value in shown if re.fullmatch(r"\d{4}-\d\d-\d\d", value)}
    assert dates == {"date", "day", "due_date", "from", "to"}


STEPS = (
    "POST /login",
    "POST /stories",
    "GET /stories/{story_id}",
    "POST /stories/{story_id}/view",
    "POST /stories/{story_id}/reactions",
    "POST /stories/{story_id}/report",
    "DELETE /stories/{story_id}/reactions",
    "DELETE /stories/{story_id}",
    "POST /api/v1/channels",
    "POST /api/v1/conversations",
    "GET /api/v1/conversations/{conversation_id}",
    "POST /api/v1/conversations/{conversation_id}/messages",
    "POST /api/v1/conversations/{conversation_id}/participants",
    "GET /api/v1/conversations/{conversation_id}/search",
    "POST /api/v1/messages",
    "GET /api/v1/messages",
    "PATCH /api/v1/messages/{message_id}",
    "POST /api/v1/messages/{message_id}/reactions",
    "POST /api/v1/messages/{message_id}/read",
    "DELETE /api/v1/messages/{message_id}/reactions",
    "DELETE /api/v1/messages/{message_id}",
    "GET /api/v1/products/{product_id}",
    "GET /api/v1/products/{product_id}/book",
    "GET /api/v1/products/{product_id}/sales",
    "POST /api/v1/products",
    "POST /api/v1/bids",
    "GET /api/v1/notifications",
    "PATCH /api/v1/notifications/preferences",
    "PUT /api/v1/notifications/preferences",
    "POST /api/v1/notifications/read-all",
    "POST /api/v1/push/subscriptions",
    "DELETE /api/v1/push/subscriptions",
    "POST /api/v1/diary/entries",
    "PATCH /api/v1/diary/entries/{entry_id}",
    "POST /api/v1/diary/tasks",
    "PATCH /api/v1/diary/tasks/{task_id}",
    "POST /api/v1/diary/tasks/{task_id}/complete",
    "POST /api/v1/diary/goals",
    "PATCH /api/v1/diary/goals/{goal_id}",
    "POST /api/v1/diary/goals/{goal_id}/members",
    "POST /api/v1/diary/goals/{goal_id}/progress",
    "PUT /api/v1/diary/goals/{goal_id}/progress",
    "DELETE /api/v1/diary/goals/{goal_id}",
    "POST /api/v1/diary/motivations",
    "POST /api/v1/users/{user_id}/block",
    "POST /api/v1/users/{user_id}/unblock",
    "PATCH /api/v1/auth/me",
    "POST /api/v1/auth/signup",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password",
)
"""Requests of a person who works down the page: what one has made is in the path of the next."""

MADE = {
    "POST /stories": "story_id",
    "POST /api/v1/conversations": "conversation_id",
    "POST /api/v1/messages": "message_id",
    "POST /api/v1/diary/entries": "entry_id",
    "POST /api/v1/diary/tasks": "task_id",
    "POST /api/v1/diary/goals": "goal_id",
}
"""Which parameter of later paths is the id in an answer; others are as in their examples."""

NOT_SET_UP = {
    "POST /api/v1/auth/password/forgot": "mail_not_available",
    "POST /api/v1/push/subscriptions": "push_not_configured",
}
"""What this server refuses for its settings, however right the request is."""


async def test_a_server_with_the_demo_takes_the_examples(server, catalogue):
    """Every request of `STEPS`, as its example stands in the document."""
    document = dict(routes(openapi(catalogue)))
    status, entered = await server.call(None, "POST", "/api/v1/demo/enter", {"name": "Test"})
    assert status == 200
    token, ids = entered["token"], {}
    for step in STEPS:
        operation = document[step]
        method, path = step.split(" ")
        shown = {each["name"]: each for each in operation.get("parameters", ())}
        for name in parameters_of(path):
            path = path.replace(f"{{{name}}}", str(ids.get(name, shown[name]["example"])))
        query = {
            name: str(each["example"])
            for name, each in shown.items()
            if each["in"] == "query" and each.get("required")
        }
        body = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("example")
        target = f"{path}?{urlencode(query)}" if query else path
        status, answer = await server.call(token, method, target, body)
        if step in NOT_SET_UP:
            assert answer["code"] == NOT_SET_UP[step]
            continue
        assert 200 <= status < 300, (step, body, answer)
        if step in MADE:
            ids[MADE[step]] = answer.get("data", answer)["id"]
