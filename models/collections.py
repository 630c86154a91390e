"""The table of collections: whose data each one has, how long it is kept, and what happens to it
when an account is handed over to the verified owner of its address, exported, or deleted.

A collection that a model opens and this table lacks fails `tests/models/test_collections.py`, and
so does one whose documents do not end as the table says.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from models.retention import Retention, after, as_long_as, for_ever, lasting_until, until


class Fate(Enum):
    """What happens to an account's documents in a collection."""

    UNTOUCHED = "untouched"
    """They stay as they are."""

    REMOVED = "removed"
    """They are deleted, or what they say of the account is."""

    ENDED = "ended"
    """They stay; what is open, joined or shared in them for the account ends."""

    ANONYMISED = "anonymised"
    """They stay under a random name that leads to no account."""

    DELETED_ACCOUNT = "deleted account"
    """They stay under the account's id, of which nothing but the id is left."""


@dataclass(frozen=True, slots=True)
class CollectionPolicy:
    """One row of the table."""

    names: str
    """The fields that hold account ids; empty where no account is named."""

    kept: Retention
    """For how long, and why."""

    handed_over: Fate
    deleted: Fate
    exported: bool
    """Whether the account's export has it; not what others wrote, nor technical records."""


def _naming_no_account(kept: Retention) -> CollectionPolicy:
    return CollectionPolicy(
        names="", kept=kept, handed_over=Fate.UNTOUCHED, deleted=Fate.UNTOUCHED, exported=False
    )


_TOMBSTONES = until(
    "forget_at",
    "only what was deleted has it: for 24 hours a repeat of the deletion may come; all others are "
    "their owner's",
)

COLLECTIONS: dict[str, CollectionPolicy] = {
    # Accounts
    "accounts": CollectionPolicy(
        names="_id",
        kept=for_ever("after a deletion the bare id stays, so that it is never given again"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=True,
    ),
    "account_keys": CollectionPolicy(
        names="account_id",
        kept=as_long_as("the account has the address; a claim never confirmed, 60 s"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "sessions": CollectionPolicy(
        names="account_id",
        kept=until("expires_at", "its refresh token expires then"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "refresh_tokens": CollectionPolicy(
        names="account_id",
        kept=until("expires_at", "it is refused from then on"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "revocations": CollectionPolicy(
        names="account_id",
        kept=after(
            "at",
            timedelta(days=1),
            "far longer than a process can be cut off from its database and still hold "
            "connections; the newest stays, so that numbers go on from it",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.UNTOUCHED,
        exported=False,
    ),
    "account_links": CollectionPolicy(
        names="account_id",
        kept=until(
            "expires_at",
            "a reset is good for an hour, a change of the e-mail for a day, a verification for "
            "seven days; a used one is deleted at once",
        ),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "account_pictures": CollectionPolicy(
        names="_id",
        kept=as_long_as("the account shows it: one, of 64 KB at most"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    # The deployment
    "invites": _naming_no_account(until("expires_at", "as the operator says")),
    "processes": _naming_no_account(
        lasting_until("the process is gone: 10 s after its last sign of life")
    ),
    "counters": _naming_no_account(for_ever("a number is never given twice")),
    "migrations": _naming_no_account(for_ever("they say which steps the database has taken")),
    "server_keys": _naming_no_account(for_ever("ids and tokens are derived from them")),
    "operator_settings": _naming_no_account(for_ever("what operators have switched while it runs")),
    "operator_actions": CollectionPolicy(
        names="operator_id, subject",
        kept=after("at", timedelta(days=365), "long enough to ask who did that, and why"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=False,
    ),
    "reports": CollectionPolicy(
        names="reporter_id, author_id",
        kept=after(
            "created_at",
            timedelta(days=180),
            "long enough to decide, and to see whom others report again and again",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "demo_parts": CollectionPolicy(
        names="_id",
        kept=for_ever("in development only: which examples were loaded for which accounts"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.UNTOUCHED,
        exported=False,
    ),
    "idempotency_keys": CollectionPolicy(
        names="_id",
        kept=until(
            "expires_at",
            "an answer is good for 24 hours, as long as a client may repeat a request; what a "
            "client_id stands for, for 30 days, as long as a phone may be offline",
        ),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    # Stories
    "stories": CollectionPolicy(
        names="author_id, audience_user_ids, readers",
        kept=until("expires_at", "`STORY_LIFETIME_HOURS` after it was posted"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "story_views": CollectionPolicy(
        names="viewer_id",
        kept=until("expires_at", "that of the story"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "story_reactions": CollectionPolicy(
        names="user_id",
        kept=until("expires_at", "that of the story"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    # Chat
    "conversations": CollectionPolicy(
        names="created_by, member_ids, request_ids, quiet_ids, closed_ids, shown_ids, "
        "departed_ids, silences.hidden_from",
        kept=for_ever("the messages of others are in them"),
        handed_over=Fate.ENDED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=True,
    ),
    "chat_members": CollectionPolicy(
        names="account_id, handles",
        kept=as_long_as("the membership"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "chat_messages": CollectionPolicy(
        names="author, mentions, reactions, kept_from, kept_edit.mentions, kept_reactions",
        kept=for_ever("a conversation belongs to all its members"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=True,
    ),
    "chat_requests": CollectionPolicy(
        names="_id",
        kept=as_long_as("the account: at most 20 of its requests"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "chat_blocks": CollectionPolicy(
        names="account_id, other_id, named",
        kept=lasting_until("unblocked: time alone unblocks no one"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "chat_changes": CollectionPolicy(
        names="kept_from",
        kept=as_long_as("the messages they changed"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=False,
    ),
    "chat_sends": CollectionPolicy(
        names="_id",
        kept=after(
            "at",
            timedelta(days=37),
            "a week longer than a phone may be offline with messages to send; a message sent "
            "again later than that is a new one",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "chat_statuses": CollectionPolicy(
        names="_id",
        kept=as_long_as("the account: one each"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "chat_present": CollectionPolicy(
        names="account_id",
        kept=lasting_until("the connection is closed, or its process noticed to be gone"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "chat_processes": _naming_no_account(lasting_until("the process is noticed to be gone")),
    "uploads.files": CollectionPolicy(
        names="metadata.uploader_id",
        kept=as_long_as("the message they are attached to; unattached ones an hour"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=True,
    ),
    "upload_usage": CollectionPolicy(
        names="_id",
        kept=for_ever("one number for each account and each conversation that ever had uploads"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.DELETED_ACCOUNT,
        exported=False,
    ),
    "uploads.chunks": _naming_no_account(as_long_as("their file")),
    # Market
    "market_journal": CollectionPolicy(
        names="offer.account_id, match.account_id",
        kept=after(
            "at",
            timedelta(days=90),
            "it decides what happened in a book: long enough to look into a match, and for every "
            "process to have read on. What has not been carried out stays",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.ANONYMISED,
        exported=False,
    ),
    "market_books": _naming_no_account(for_ever("one for each book")),
    "market_offers": CollectionPolicy(
        names="account_id, owner",
        kept=for_ever("they are their owner's records"),
        handed_over=Fate.ENDED,
        deleted=Fate.ANONYMISED,
        exported=True,
    ),
    "market_orders": CollectionPolicy(
        names="buyer_id, seller_id, lists, broken_by",
        kept=for_ever("they are the records of both parties"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.ANONYMISED,
        exported=True,
    ),
    "market_payments": _naming_no_account(as_long_as("the orders they pay")),
    "market_webhooks": _naming_no_account(
        after(
            "at",
            timedelta(days=30),
            "the provider gives up after three, and operators have time to look at the unusable "
            "ones",
        )
    ),
    "market_sales": _naming_no_account(for_ever("the price history, without parties")),
    "market_days": _naming_no_account(for_ever("the price history: one a day for each book")),
    "market_products": CollectionPolicy(
        names="created_by",
        kept=for_ever("the catalogue"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.ANONYMISED,
        exported=False,
    ),
    "market_skus": CollectionPolicy(
        names="product.created_by",
        kept=for_ever("a SKU names one product"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.ANONYMISED,
        exported=False,
    ),
    # Notifications
    "notifications": CollectionPolicy(
        names="account_id, cause",
        kept=after(
            "created_at",
            timedelta(days=180),
            "longer than people scroll back; unread ones count as read then. Of one account the "
            "newest 10,000",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "notification_causes": CollectionPolicy(
        names="_id",
        kept=after(
            "at",
            timedelta(days=365),
            "a cause is notified once: longer than any domain may repeat one",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "notification_inboxes": CollectionPolicy(
        names="_id",
        kept=as_long_as("the account"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "push_subscriptions": CollectionPolicy(
        names="account_id",
        kept=lasting_until("the device or its push service ends it"),
        handed_over=Fate.REMOVED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "push_drops": _naming_no_account(
        after("at", timedelta(days=30), "counts for operators: long enough to compare months")
    ),
    # Diary
    "diary_entries": CollectionPolicy(
        names="account_id, deleted_by",
        kept=_TOMBSTONES,
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "diary_tasks": CollectionPolicy(
        names="account_id, deleted_by",
        kept=_TOMBSTONES,
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "diary_completions": CollectionPolicy(
        names="account_id",
        kept=as_long_as("the diary: streaks count them"),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "diary_reminders": CollectionPolicy(
        names="account_id",
        kept=after(
            "claimed_at",
            timedelta(days=60),
            "an occurrence is announced once: a task that is still due after that and is "
            "reopened or dated back would be announced again",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
    "diary_goals": CollectionPolicy(
        names="account_id, members, readers, invited, invitees, deleted_by",
        kept=_TOMBSTONES,
        handed_over=Fate.ENDED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "diary_motivations": CollectionPolicy(
        names="account_id",
        kept=after(
            "created_at",
            timedelta(weeks=8),
            "long enough to look back; what people find difficult is not kept permanently",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=True,
    ),
    "diary_motivation_memories": CollectionPolicy(
        names="_id",
        kept=after(
            "updated_at",
            timedelta(weeks=8),
            "who has not asked since may meet the same motivation again",
        ),
        handed_over=Fate.UNTOUCHED,
        deleted=Fate.REMOVED,
        exported=False,
    ),
}


def retention_of(name: str) -> Retention:
    """Return how long the documents of a collection are kept."""
    return COLLECTIONS[name].kept
