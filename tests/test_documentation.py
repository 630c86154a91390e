"""The documentation says what is there: docs/api.md by name, generated pages in every line.

That every route, command and event is in the documents which a server serves is tested in
tests/app/contracts.
"""

import json
import re

from app import collection_table
from app.contracts.asyncapi import asyncapi
from app.contracts.openapi import openapi
from app.contracts.routes import CATALOGUE
from app.main import create_app
from app.settings import Settings
from app.storage import faults
from models.collections import COLLECTIONS
from models.error_codes import CATALOGUE as CODES
from tests.test_imports import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

NOT_OURS = {
    # The stock client's.
    *("socket.recovered", "connect_error", "data.code"),
    # Steps in the history of an order.
    *("surplus_payment", "surplus_refunded"),
    # The payment provider's, the push services' and gRPC's.
    *("payment_intent.succeeded", "payment_intent.payment_failed", "charge.refunded"),
    *("payout.paid", "payment_intent", "data.object.metadata.order_id"),
    *("amount_received", "amount_refunded", "grpc.health.v1.Health"),
    # What the mail service is sent.
    *("reset_password", "verify_email", "change_email", "new_email"),
    *("email_change_requested", "email_changed"),
}
"""Names in docs/api.md that no document of this server has."""


def subclasses(kind):
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


async def test_the_rules_name_what_is_there(settings: Settings) -> None:
    """Each command, event, field, code and setting in docs/api.md is in the served documents."""
    app = await create_app(settings)
    catalogue = app[CATALOGUE]()
    served = json.dumps([openapi(catalogue), asyncapi(catalogue), [*CODES]])
    await app.cleanup()
    known = {*re.findall(r"[A-Za-z_][\w.]*", served), *re.findall(r"\w+", served)}
    named = {
        name
        for code in re.findall(r"`([^`\n]+)`", API)
        for name in re.findall(r"^[a-z]+(?:[._][a-z_]+)+$", code)
    }
    assert len(named) > 80
    assert named - known - NOT_OURS == set()


def test_collections_are_documented():
    """docs/collections.md is what `python -m app.collection_table` writes."""
    page = (ROOT / "docs" / "collections.md").read_text(encoding="utf-8")
    assert page == collection_table.table()
    assert all(f"| `{name}` |" in page for name in COLLECTIONS)


def test_faults_of_the_store_are_documented():
    """docs/storage.md says what to do about each thing that may be wrong with the files."""
    page = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    for message in faults._MESSAGES.values():
        assert f"| {message} |" in page
