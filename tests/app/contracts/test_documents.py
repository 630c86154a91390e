"""The contracts that the server makes of its declarations, and serves."""

import json
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import jsonschema_rs
import pytest

from app.contracts.asyncapi import asyncapi
from app.contracts.catalogue import OBJECT, InChannelForm
from app.contracts.openapi import PROBLEM, openapi
from app.contracts.routes import CATALOGUE, NO_API
from app.contracts.typescript import events_d_ts, spread, type_name
from app.legacy.examples import RECEIVED, SENT
from app.rest.contract import Content
from models.error_codes import CATALOGUE as CODES
from models.events import Event
from models.fields import Input
from tests.frames import FRAMES, spelled
from tests.test_documentation import subclasses

DOCUMENTS = ("/api/openapi.json", "/api/asyncapi.json", "/api/events.d.ts", "/docs")


@pytest.fixture
def catalogue(server):
    return server.app[CATALOGUE]()


def references(document):
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def found_at(document, reference):
    for part in reference.removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


@pytest.mark.parametrize("make", [openapi, asyncapi])
def test_every_reference_leads_somewhere(catalogue, make):
    """Whatever a document refers to is in it."""
    document = make(catalogue)
    found = set(references(document))
    assert len(found) > 10
    for reference in found:
        assert found_at(document, reference)


def test_every_schema_compiles(catalogue):
    """Each component is a schema of draft 2020-12."""
    for schema in catalogue.components.values():
        whole = {**schema, "components": {"schemas": catalogue.components}}
        jsonschema_rs.meta.validate(
            {**whole, "$schema": "https://json-schema.org/draft/2020-12/schema"}
        )


def test_every_route_has_a_place(server, catalogue):
    """OpenAPI has each route of the application but pages and files."""
    paths = openapi(catalogue)["paths"]
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in server.app.router.routes()
        if route.method not in ("HEAD", "*") and route.resource.canonical not in NO_API
    }
    assert len(routes) > 80
    assert [route for route in sorted(routes) if route[0] not in paths.get(route[1], {})] == []


def test_no_schema_is_open(catalogue):
    """Each object names its fields and refuses others, each list says what is in it."""
    found = [*catalogue.components.items()]
    assert len(found) > 60
    for name, schema in found:
        assert schema["type"] == "object", name
        assert schema["additionalProperties"] is False, name
        for field, described in schema["properties"].items():
            for each in [described, *described.get("anyOf", [])]:
                assert each.keys() & {"type", "$ref", "anyOf", "enum", "const"}, (name, field)
                if each.get("type") == "array":
                    assert each.get("items"), (name, field)


OPAQUE = {"GET /api/openapi.json", "GET /api/asyncapi.json", "GET /api/v1/auth/me/export"}
"""Answers whose JSON has no schema: documents, and a file to keep that every domain adds to."""


def is_typed(catalogue, kind):
    if isinstance(kind, InChannelForm):
        return is_typed(catalogue, kind.answer)
    return kind is None or catalogue.schema_of(kind) != OBJECT


def test_answers_are_typed(catalogue):
    """What a route or a command answers is a type with a schema, or says its content type."""
    opaque, loose = set(), set()
    for route in catalogue.rest:
        for kind in route.answers.values():
            name = f"{route.method} {route.path}"
            if isinstance(kind, Content):
                if kind.content_type == "application/json":
                    opaque.add(name)
            elif not is_typed(catalogue, kind):
                loose.add(name)
    for domain, handler in catalogue.handlers():
        if not is_typed(catalogue, handler.answer):
            loose.add(f"/{domain} {handler.operation.name}")
    assert loose == set()
    assert opaque == OPAQUE


def test_an_untyped_answer_is_found(catalogue):
    """What the test above looks for is there when an answer is any object."""
    assert not is_typed(catalogue, dict[str, Any])
    assert not is_typed(catalogue, InChannelForm(dict[str, Any]))


def test_routes_answer_with_codes_of_their_own(catalogue):
    """A code is documented where it may occur, and not everywhere."""
    paths = openapi(catalogue)["paths"]

    def codes(method: str, path: str) -> set[str]:
        answers = paths[path][method]["responses"].values()
        found = [each.get("content", {}).get(PROBLEM, {}) for each in answers]
        return {
            code for each in found if each for code in each["schema"]["properties"]["code"]["enum"]
        }

    health, read = codes("get", "/health"), codes("get", "/stories/{story_id}")
    create, admin = codes("post", "/stories"), codes("get", "/api/v1/admin/overview")
    assert not health & {"token_missing", "unreadable", "key_reused", "not_an_operator"}
    assert "token_missing" in read
    assert not read & {"unreadable", "key_reused", "not_an_operator"}
    assert create >= {"token_missing", "unreadable", "key_reused", "unsupported_media_type"}
    assert "not_an_operator" in admin


def test_channel_chat_answers_in_its_form(catalogue):
    """A message there has the document's names beside ours, and a list is the data."""
    paths = openapi(catalogue)["paths"]
    content = paths["/api/v1/messages"]["get"]["responses"]["200"]["content"]["application/json"]
    answer = content["schema"]["properties"]
    assert answer["success"] == {"const": True}
    message = answer["data"]["items"]["properties"]
    assert message.keys() >= {"id", "channel_id", "user_email", "content"}
    assert answer["page"]["properties"].keys() == {
        "seq",
        "revision",
        "more",
        "more_before",
        "more_after",
    }


def untyped(schema, where):
    """Yield the places in a schema at which any value is taken."""
    if not schema.keys() & {"type", "enum", "anyOf", "$ref"}:
        yield where
    for name, field in schema.get("properties", {}).items():
        yield from untyped(field, f"{where}.{name}")
    if schema.get("type") == "array":
        yield from untyped(schema["items"], f"{where}[]")


def test_requests_are_typed(catalogue):
    """Every field that a client sends has a type."""
    sent = [route.body for route in catalogue.rest if isinstance(route.body, Input)]
    sent += [route.query for route in catalogue.rest if route.query is not None]
    sent += [handler.operation.request for _, handler in catalogue.handlers()]
    assert len(sent) > 100
    found = {
        place
        for schema in sent
        for place in untyped(catalogue.request(schema), type(schema).__name__)
    }
    assert found == set()


def test_types_have_names_of_their_own(catalogue):
    """No two components have one name in TypeScript, and none is called a view."""
    names = [*map(type_name, catalogue.components)]
    assert len({*names}) == len(names)
    assert [name for name in names if name.endswith("View")] == []


@pytest.mark.parametrize(
    ("flat", "lines"),
    [
        ("{ a: string }", ["{ a: string }"]),
        (
            "{ first: string; second: { third: number; fourth: Array<string | null> };"
            " fifth: boolean | null }",
            [
                "{",
                "  first: string;",
                "  second: { third: number; fourth: Array<string | null> };",
                "  fifth: boolean | null;",
                "}",
            ],
        ),
    ],
)
def test_a_long_type_has_a_line_for_each_field(flat, lines):
    assert spread(flat).split("\n") == lines


def test_every_operation_is_named_once(catalogue):
    document = openapi(catalogue)
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


def test_every_command_and_event_has_a_place(catalogue):
    """AsyncAPI has each of them in the channel of its namespace."""
    channels = asyncapi(catalogue)["channels"]
    for commands in catalogue.commands:
        wanted = {f"{name}.{part}" for name in commands.handlers for part in ("command", "ack")}
        assert wanted <= channels[commands.domain]["messages"].keys()
    events = {
        (each.domain, each.name)
        for each in subclasses(Event)
        if each.__module__.startswith("models.") and hasattr(each, "name")
    }
    assert len(events) > 20
    for domain, name in events:
        assert name in channels[domain]["messages"]


def test_the_older_apis_have_their_frames(catalogue):
    """Each dialect's types both ways with their golden frames, and the codes it closes with."""
    channels = asyncapi(catalogue)["channels"]
    assert len(catalogue.dialects) == 4
    for dialect in catalogue.dialects:
        channel = channels[f"older.{dialect.name}"]
        sent, received = golden_frames(dialect)
        assert channel["messages"].keys() == {*sent, *(f"{kind}.received" for kind in received)}
        assert channel["address"] == dialect.path
        assert all(
            CODES[code].close_code == int(number)
            for number, code in channel["x-close-codes"].items()
        )


def golden_frames(dialect):
    """Return the files of what clients receive and of what they send, by type."""
    folder = FRAMES / dialect.name
    received = {path.stem: path for path in folder.glob("sent/*.json")}
    sent = {path.stem: path for path in folder.glob("*.json")}
    if "ping" in sent:
        # The oldest folder has the one frame that its clients send beside the others.
        received["ping"] = sent.pop("ping")
    return sent, received


def test_examples_are_the_golden_frames(catalogue):
    """Word for word, each of them, and each is as its schema says."""
    messages = asyncapi(catalogue)["components"]["messages"]
    for dialect in catalogue.dialects:
        for examples, files in zip((SENT, RECEIVED), golden_frames(dialect), strict=True):
            found = examples[dialect.name]
            assert found.keys() == files.keys()
            for kind, frame in found.items():
                assert json.dumps(frame) == spelled(files[kind].read_text(encoding="utf-8"))
                suffix = ".received" if examples is RECEIVED else ""
                message = messages[f"older.{dialect.name}.{kind}{suffix}"]
                assert message["examples"][0]["payload"] == frame
                jsonschema_rs.validate(message["payload"], frame)


async def test_documents_are_stable(serve):
    """Two servers return the same bytes; a client that has them already receives 304."""
    one, two = await serve(), await serve()
    for path in DOCUMENTS:
        async with one._http.get(one.url + path) as response:
            first, etag = await response.read(), response.headers["ETag"]
            assert response.status == 200
        async with two._http.get(two.url + path) as response:
            assert await response.read() == first, path
        async with one._http.get(one.url + path, headers={"If-None-Match": etag}) as response:
            assert response.status == 304, path


async def test_the_page_keeps_its_policy(server):
    """No script or style stands in the page, and what it names is served."""
    async with server._http.get(f"{server.url}/docs") as response:
        text = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert "'unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", text)
    for name in re.findall(r'(?:src|href)="(/[^"#]*)"', text):
        async with server._http.get(server.url + name) as response:
            assert response.status == 200, name
    for code in CODES:
        assert f'id="error.{code}"' in text
    anchors = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors


CLIENT = """
import type { Stories } from "./events";
declare const on: <E extends keyof Stories.ServerToClient>(
  name: E, listener: Stories.ServerToClient[E]) => void;
declare const emit: <C extends keyof Stories.ClientToServer>(
  name: C, ...args: Parameters<Stories.ClientToServer[C]>) => void;
on("story.created", (event) => { const text: string = event.text; void text; });
emit("create_story", { text: "hello", visibility: "PUBLIC" }, (answer) => {
  if (answer.error) { const code: string = answer.error.code; void code; return; }
  const id: string = answer.data.id; void id;
});
"""
WRONG = {
    "event": ('"story.created"', '"story.craeted"'),
    "field": ("event.text", "event.txet"),
    "command": ('"create_story"', '"craete_story"'),
    "value": ('"PUBLIC"', '"PUBLICK"'),
    "branch": ("if (answer.error)", "if (answer.data)"),
}


@pytest.mark.node
@pytest.mark.timeout(300)
def test_a_typed_client(catalogue, tmp_path):
    """A small client passes the type check, and each mistake in it is found."""
    compiler = Path(__file__).parents[3] / "web" / "node_modules" / ".bin" / "tsc"
    found = str(compiler) if compiler.exists() else which("tsc")
    if found is None:
        pytest.skip("typescript is not installed: npm ci in web/")
    (tmp_path / "events.d.ts").write_text(events_d_ts(catalogue))

    def check(source: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "client.ts").write_text(source)
        command = [
            found,
            "--noEmit",
            "--strict",
            "--target",
            "es2022",
            "--moduleResolution",
            "bundler",
            "--module",
            "esnext",
            "client.ts",
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    right = check(CLIENT)
    assert right.returncode == 0, right.stdout
    for kind, (old, new) in WRONG.items():
        assert old in CLIENT
        assert check(CLIENT.replace(old, new)).returncode != 0, kind
