"""Reports: an account says that something which it can see should not be here."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NotRequired, TypedDict

from pymongo.errors import DuplicateKeyError

from models.accounts.schema import Account
from models.collections import retention_of
from models.database import Database, typed
from models.errors import NotFound
from models.events import Json, as_json
from models.exports import Streamed
from models.oversight.schema import OPEN
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.retention import expire, prepare_expiry
from models.times import Clock, to_text

CONTENT_KEPT = 1_000
"""Characters of what is reported: enough to judge by, also after its author has changed it."""


class StoredReport(TypedDict):
    """A document of `reports`."""

    _id: str
    """`<kind>:<subject>:<reporter>`, so that each account reports a thing once."""

    kind: str
    subject_id: str
    author_id: str
    reporter_id: str
    content: NotRequired[str]
    """What is reported, as it was then; reports of earlier releases lack it."""

    reason: str
    note: str | None
    status: str
    created_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class ReportView(TypedDict):
    """A report as its maker sees it."""

    id: str
    kind: str
    subject_id: str
    reason: str
    note: str | None
    created_at: str


class ReportForOperatorsView(ReportView):
    """A report as operators see it."""

    author_id: str
    reporter_id: str
    content: str | None
    """The text as it was when it was reported, its first 1,000 characters; empty of a message that
    is a file only; null in reports of earlier releases."""

    status: str
    decided_by: str | None
    decided_at: str | None


class Reports:
    """Takes reports in, and shows them to operators."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._reports = typed(database["reports"], StoredReport)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._reports.create_index([("status", 1), ("created_at", -1)])
        await self._reports.create_index([("reporter_id", 1)])
        await self._reports.create_index([("author_id", 1)])
        await prepare_expiry(self._reports, retention_of("reports"))

    async def sweep(self) -> None:
        """Delete reports that have had their time."""
        await expire(self._reports, retention_of("reports"), self._clock())

    async def add(
        self,
        reporter_id: str,
        kind: str,
        subject_id: str,
        *,
        author_id: str,
        content: str,
        reason: str,
        note: str | None,
    ) -> ReportView:
        """Note a report; one that was made before is returned as it is."""
        report: StoredReport = {
            "_id": f"{kind}:{subject_id}:{reporter_id}",
            "kind": kind,
            "subject_id": subject_id,
            "author_id": author_id,
            "reporter_id": reporter_id,
            "content": content[:CONTENT_KEPT],
            "reason": reason,
            "note": note,
            "status": OPEN,
            "created_at": self._clock(),
            "decided_by": None,
            "decided_at": None,
        }
        try:
            await self._reports.insert_one(report)
        except DuplicateKeyError:
            report = await self.get(report["_id"])
        return _view(report)

    async def get(self, report_id: str) -> StoredReport:
        """Return a report.

        Raises:
            NotFound: code `report_not_found`.
        """
        found = await self._reports.find_one({"_id": report_id})
        if found is None:
            raise NotFound("There is no such report.", code="report_not_found")
        return found

    async def page(
        self, status: str, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[ReportForOperatorsView]:
        """Return a page of the reports with a status as operators see them, newest first."""
        query: dict[str, object] = {"status": status}
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._reports.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [for_operators(report) for report in shown], "next": following}

    async def decide(self, kind: str, subject_id: str, status: str, operator_id: str) -> None:
        """Close all open reports about one thing."""
        await self._reports.update_many(
            {"kind": kind, "subject_id": subject_id, "status": OPEN},
            {"$set": {"status": status, "decided_by": operator_id, "decided_at": self._clock()}},
        )

    # What becomes of them with their accounts: the port `models.accounts.lifecycle.AccountData`.

    async def hand_over(self, account_id: str) -> None:
        """Change nothing: they give no one a hold on the account."""

    async def bindings(self, account_id: str) -> list[str]:
        """Name nothing."""
        return []

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Remove reports by the account, and those about what it wrote."""
        await self._reports.delete_many({"reporter_id": account_id})
        await self._reports.delete_many({"author_id": account_id})

    def export(self, account: Account) -> Streamed:
        """Walk through the account's own reports."""
        return {"reports": self._own(account.id)}

    async def _own(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for report in self._reports.find({"reporter_id": account_id}):
            yield as_json(_view(report))


def _view(report: StoredReport) -> ReportView:
    return {
        "id": report["_id"],
        "kind": report["kind"],
        "subject_id": report["subject_id"],
        "reason": report["reason"],
        "note": report["note"],
        "created_at": to_text(report["created_at"]),
    }


def for_operators(report: StoredReport) -> ReportForOperatorsView:
    """Return a report as operators see it."""
    decided_at = report["decided_at"]
    return {
        **_view(report),
        "author_id": report["author_id"],
        "reporter_id": report["reporter_id"],
        "content": report.get("content"),
        "status": report["status"],
        "decided_by": report["decided_by"],
        "decided_at": to_text(decided_at) if decided_at is not None else None,
    }
