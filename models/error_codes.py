"""The catalogue of error codes: every code that an answer, a frame or an event may have.

Codes are for programs and stable. A code has one meaning and one HTTP status, on every transport.
`docs/errors.md` is generated from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

ErrorCode = Literal[
    # Requests
    "unreadable",
    "bad_request",
    "malformed_request",
    "host_malformed",
    "not_text",
    "not_json",
    "not_an_object",
    "no_type",
    "unknown_type",
    "unknown_event",
    "number_too_large",
    "forbidden",
    "not_found",
    "unknown_command",
    "method_not_allowed",
    "request_timeout",
    "request_too_large",
    "unsupported_media_type",
    "encoding_not_supported",
    "host_not_allowed",
    "invalid",
    "version_conflict",
    "upgrade_required",
    "request_header_fields_too_large",
    # Limits and the state of the server
    "too_many_requests",
    "too_many_connections",
    "too_many_slow_commands",
    "internal",
    "unavailable",
    "busy",
    "server_stopping",
    "migration_pending",
    "key_reused",
    "idempotency_in_flight",
    "answer_not_kept",
    "answer_too_long",
    "export_under_way",
    # Tokens and origins
    "token_missing",
    "token_invalid",
    "token_expired",
    "session_ended",
    "refresh_token_invalid",
    "service_token_invalid",
    "user_unknown",
    "email_invalid",
    "email_ambiguous",
    "another_user",
    "account_disabled",
    "origin_not_allowed",
    "not_the_account",
    # Accounts
    "invalid_credentials",
    "signup_closed",
    "invite_required",
    "invite_invalid",
    "invite_not_found",
    "link_invalid",
    "password_wrong",
    "password_changed",
    "password_missing",
    "email_taken",
    "email_missing",
    "email_changed",
    "email_unchanged",
    "phone_taken",
    "firebase_uid_taken",
    "account_not_found",
    "session_not_found",
    "mail_not_available",
    "too_many_lookups",
    # Operators
    "report_not_found",
    "own_account",
    "public_url_missing",
    "database_not_empty",
    # Stories
    "story_not_found",
    "not_the_author",
    # Chat
    "conversation_not_found",
    "channel_taken",
    "channel_private",
    "not_a_member",
    "member_not_found",
    "not_by_invitation",
    "too_many_members",
    "direct",
    "request_answered",
    "user_blocked",
    "not_joined",
    "connection_gone",
    "too_many_channels",
    "message_not_found",
    "message_deleted",
    "too_many_reactions",
    "upload_not_found",
    "attachment_used",
    "media_type_refused",
    "media_unreadable",
    "too_many_uploads",
    "upload_quota_exceeded",
    # Market
    "product_not_found",
    "sku_taken",
    "unknown_size",
    "not_an_operator",
    "bid_not_found",
    "ask_not_found",
    "offer_not_found",
    "offer_closed",
    "crosses_own_offer",
    "too_many_open",
    "too_many_books",
    "too_many_unpaid",
    "too_many_cancelled",
    "order_not_found",
    "not_your_step",
    "illegal_step",
    "already_paid",
    "payment_overdue",
    "payment_under_way",
    "payment_not_found",
    "payment_ambiguous",
    "payment_amount",
    "payment_of_another_order",
    "payment_provider_unavailable",
    "payout_amount",
    "refund_currency",
    "refund_after_delivery",
    "refund_at_provider",
    "no_webhook_secret",
    "webhook_signature",
    "webhook_too_old",
    "event_in_flight",
    # Notifications
    "notification_not_found",
    "push_not_configured",
    # Diary
    "entry_not_found",
    "entry_deleted",
    "too_many_entries",
    "task_not_found",
    "task_deleted",
    "too_many_tasks",
    "not_due_then",
    "goal_not_found",
    "goal_deleted",
    "too_many_goals",
    "step_not_found",
    "not_of_steps",
    "not_of_number",
    "own_goal",
    "not_the_owner",
    "goal_accepted",
    "motivation_not_found",
]

Repeat = Literal["no", "later", "login"]
"""Whether the same request may succeed when it is sent again.

- `no`: not before the request, or what it is about, has changed.
- `later`: yes; where the error has a time (`Retry-After`, `retry_after`), not before it.
- `login`: with another token, from a refresh or a login.
"""


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What one code means."""

    status: HTTPStatus
    """Of an HTTP answer with this code. Codes that only sockets send have that of their kind."""

    repeat: Repeat

    meaning: str
    """One sentence."""

    close_code: int | None = None
    """With which raw WebSocket endpoints close a connection for this, and refuse one where the user
    is in the path."""

    @property
    def reconnect(self) -> bool:
        """Whether a client whose connection ended with this code should connect again."""
        return self.repeat == "later"


UNAUTHORIZED = 4001
"""No token, an invalid one, or one that has ended. All codes: docs/older-apis/README.md."""

ANOTHER_USER = 4002
"""The path's user is not the token's."""

DISABLED = 4003
"""The account is disabled."""

POLICY_VIOLATION = 1008
GOING_AWAY = 1001
"""As RFC 6455, 7.4.1, has them."""

_BAD_REQUEST = HTTPStatus.BAD_REQUEST
_UNAUTHORIZED = HTTPStatus.UNAUTHORIZED
_FORBIDDEN = HTTPStatus.FORBIDDEN
_NOT_FOUND = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_INVALID = HTTPStatus.UNPROCESSABLE_ENTITY
_TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE

GROUPS: Final[Mapping[str, Mapping[ErrorCode, ErrorInfo]]] = {
    "Requests": {
        "unreadable": ErrorInfo(
            _BAD_REQUEST,
            "no",
            "The request is not JSON, or a header, a query or a form cannot be parsed.",
        ),
        "bad_request": ErrorInfo(
            _BAD_REQUEST,
            "no",
            "The request breaks a rule of HTTP, such as an upgrade without its headers.",
        ),
        "malformed_request": ErrorInfo(
            _BAD_REQUEST, "no", "What was sent is not an HTTP/1.1 request."
        ),
        "host_malformed": ErrorInfo(
            _BAD_REQUEST, "no", "The request does not have exactly one valid Host header."
        ),
        "not_text": ErrorInfo(
            _BAD_REQUEST, "no", "A WebSocket message was binary; send JSON as text."
        ),
        "not_json": ErrorInfo(_BAD_REQUEST, "no", "A WebSocket message is not JSON."),
        "not_an_object": ErrorInfo(_BAD_REQUEST, "no", "A WebSocket message is not a JSON object."),
        "no_type": ErrorInfo(
            _BAD_REQUEST, "no", "A WebSocket message has no type, or its type is no text."
        ),
        "unknown_type": ErrorInfo(_BAD_REQUEST, "no", "The API has no message of this type."),
        "unknown_event": ErrorInfo(_BAD_REQUEST, "no", "The API has no event of this name."),
        "number_too_large": ErrorInfo(
            _BAD_REQUEST, "no", "A WebSocket message has a number that is too large to be repeated."
        ),
        "forbidden": ErrorInfo(_FORBIDDEN, "no", "The operation is not allowed here."),
        "not_found": ErrorInfo(_NOT_FOUND, "no", "There is nothing at this address."),
        "unknown_command": ErrorInfo(_NOT_FOUND, "no", "The namespace has no such command."),
        "method_not_allowed": ErrorInfo(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "no",
            "The address does not take this method; `Allow` lists those it takes.",
        ),
        "request_timeout": ErrorInfo(
            HTTPStatus.REQUEST_TIMEOUT, "later", "The body did not come in time."
        ),
        "request_too_large": ErrorInfo(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "no",
            "The body, or a file in it, is larger than allowed.",
        ),
        "unsupported_media_type": ErrorInfo(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "no",
            "The body has a `Content-Type` that is not taken here.",
        ),
        "encoding_not_supported": ErrorInfo(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "no", "The body is compressed; send it as it is."
        ),
        "host_not_allowed": ErrorInfo(
            HTTPStatus.MISDIRECTED_REQUEST,
            "no",
            "In development, this server does not answer as this host.",
        ),
        "invalid": ErrorInfo(_INVALID, "no", "Some fields are not valid; the error names them."),
        "version_conflict": ErrorInfo(
            HTTPStatus.PRECONDITION_FAILED,
            "no",
            "The thing has another version than `if_version` or `If-Match` names: read it again.",
        ),
        "upgrade_required": ErrorInfo(
            HTTPStatus.UPGRADE_REQUIRED,
            "no",
            "The address takes WebSocket connections of version 13 only.",
        ),
        "request_header_fields_too_large": ErrorInfo(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "no",
            "The request line or a header is too long.",
        ),
    },
    "Limits and the state of the server": {
        "too_many_requests": ErrorInfo(
            _TOO_MANY,
            "later",
            "Too many requests of this account, this network or this process.",
            POLICY_VIOLATION,
        ),
        "too_many_connections": ErrorInfo(
            _TOO_MANY,
            "later",
            "The account has as many connections as it may have; close one.",
            POLICY_VIOLATION,
        ),
        "too_many_slow_commands": ErrorInfo(
            _TOO_MANY,
            "later",
            "The account waits for as many slow commands as it may; wait for an answer.",
        ),
        "internal": ErrorInfo(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "later",
            "The server failed; the failure has been logged.",
        ),
        "unavailable": ErrorInfo(
            _UNAVAILABLE,
            "later",
            "Something that the server depends on, such as its database, is not available.",
        ),
        "busy": ErrorInfo(_UNAVAILABLE, "later", "Too much of this kind of work is waiting."),
        "server_stopping": ErrorInfo(
            _UNAVAILABLE,
            "later",
            "The server is stopping; another or its next start will answer.",
            GOING_AWAY,
        ),
        "migration_pending": ErrorInfo(
            _CONFLICT, "no", "The database lacks a migration, so the server does not start."
        ),
        "key_reused": ErrorInfo(
            _INVALID, "no", "The idempotency key was used for another request."
        ),
        "idempotency_in_flight": ErrorInfo(
            _CONFLICT, "later", "The first request with this idempotency key is under way."
        ),
        "answer_not_kept": ErrorInfo(
            _CONFLICT,
            "no",
            "The request was carried out before, and its answer was too long to be kept.",
        ),
        "answer_too_long": ErrorInfo(
            _CONFLICT,
            "no",
            "The answer would be too long for one message; ask for fewer, or over REST.",
        ),
        "export_under_way": ErrorInfo(
            _TOO_MANY, "later", "The account reads as many exports as it may."
        ),
    },
    "Tokens and origins": {
        "token_missing": ErrorInfo(_UNAUTHORIZED, "login", "No token was sent.", UNAUTHORIZED),
        "token_invalid": ErrorInfo(
            _UNAUTHORIZED, "login", "The token proves nothing.", UNAUTHORIZED
        ),
        "token_expired": ErrorInfo(_UNAUTHORIZED, "login", "The token has expired.", UNAUTHORIZED),
        "session_ended": ErrorInfo(
            _UNAUTHORIZED,
            "login",
            "The session was logged out, or its password was changed.",
            UNAUTHORIZED,
        ),
        "refresh_token_invalid": ErrorInfo(
            _UNAUTHORIZED, "login", "The refresh token proves nothing, or its session has ended."
        ),
        "service_token_invalid": ErrorInfo(
            _UNAUTHORIZED, "no", "The service token is missing or wrong."
        ),
        "user_unknown": ErrorInfo(
            _UNAUTHORIZED, "no", "In development, the path names no user.", UNAUTHORIZED
        ),
        "email_invalid": ErrorInfo(
            _UNAUTHORIZED, "no", "In development, the header `User-Email` is not an e-mail address."
        ),
        "email_ambiguous": ErrorInfo(
            _FORBIDDEN,
            "no",
            "In development, the header `User-Email` looks like another account's address.",
        ),
        "another_user": ErrorInfo(
            _FORBIDDEN, "no", "The token is not that of the user in the path.", ANOTHER_USER
        ),
        "account_disabled": ErrorInfo(_FORBIDDEN, "no", "The account is disabled.", DISABLED),
        "origin_not_allowed": ErrorInfo(
            _FORBIDDEN, "no", "Pages of this origin may not call or connect."
        ),
        "not_the_account": ErrorInfo(
            _FORBIDDEN, "no", "The new token of a connection is another account's."
        ),
    },
    "Accounts": {
        "invalid_credentials": ErrorInfo(_UNAUTHORIZED, "no", "E-mail or password is wrong."),
        "signup_closed": ErrorInfo(_FORBIDDEN, "no", "Sign-up is closed.", UNAUTHORIZED),
        "invite_required": ErrorInfo(
            _FORBIDDEN, "no", "Signing up takes an invitation.", UNAUTHORIZED
        ),
        "invite_invalid": ErrorInfo(
            _FORBIDDEN, "no", "The invitation is unknown, used up or expired."
        ),
        "invite_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such invitation."),
        "link_invalid": ErrorInfo(_FORBIDDEN, "no", "The link is unknown, used or expired."),
        "password_wrong": ErrorInfo(_FORBIDDEN, "no", "The present password is wrong."),
        "password_changed": ErrorInfo(_CONFLICT, "no", "The password was changed meanwhile."),
        "password_missing": ErrorInfo(
            _CONFLICT, "no", "The account has no password; it can be reset."
        ),
        "email_taken": ErrorInfo(
            _CONFLICT, "no", "Another account has this e-mail, or one that looks the same."
        ),
        "email_missing": ErrorInfo(_CONFLICT, "no", "The account has no e-mail."),
        "email_changed": ErrorInfo(_CONFLICT, "no", "The account's e-mail was changed meanwhile."),
        "email_unchanged": ErrorInfo(_CONFLICT, "no", "This is the account's e-mail already."),
        "phone_taken": ErrorInfo(_CONFLICT, "no", "Another account has this phone number."),
        "firebase_uid_taken": ErrorInfo(
            _CONFLICT, "no", "Another account is that of this Firebase user."
        ),
        "account_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such account."),
        "session_not_found": ErrorInfo(_NOT_FOUND, "no", "The account has no such session."),
        "mail_not_available": ErrorInfo(
            _UNAVAILABLE, "no", "The server sends no mails; its operator can make a link."
        ),
        "too_many_lookups": ErrorInfo(
            _TOO_MANY, "later", "The account has looked up too many people."
        ),
    },
    "Operators": {
        "report_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such report."),
        "own_account": ErrorInfo(_CONFLICT, "no", "An operator does not disable itself."),
        "database_not_empty": ErrorInfo(_CONFLICT, "no", "Only an empty database takes in a dump."),
        "public_url_missing": ErrorInfo(
            _CONFLICT, "no", "`PUBLIC_URL` is not set, so no link can be made."
        ),
    },
    "Stories": {
        "story_not_found": ErrorInfo(
            _NOT_FOUND, "no", "There is no such story, or it is not for the caller."
        ),
        "not_the_author": ErrorInfo(
            _FORBIDDEN, "no", "Only the author of the story or the message may do this."
        ),
    },
    "Chat": {
        "conversation_not_found": ErrorInfo(
            _NOT_FOUND, "no", "There is no such conversation, or it is not for the caller."
        ),
        "channel_taken": ErrorInfo(_CONFLICT, "no", "There is a channel of this name."),
        "channel_private": ErrorInfo(_FORBIDDEN, "no", "The channel is private."),
        "not_a_member": ErrorInfo(_FORBIDDEN, "no", "The caller has not joined the channel."),
        "member_not_found": ErrorInfo(
            _NOT_FOUND, "no", "The caller is not a member and cannot leave."
        ),
        "not_by_invitation": ErrorInfo(_CONFLICT, "no", "The conversation takes no invitations."),
        "too_many_members": ErrorInfo(
            _CONFLICT, "no", "The conversation has as many members as it may have."
        ),
        "direct": ErrorInfo(_CONFLICT, "no", "A direct conversation cannot be left."),
        "request_answered": ErrorInfo(
            _CONFLICT, "no", "The conversation is no request, or was answered before."
        ),
        "user_blocked": ErrorInfo(_CONFLICT, "no", "The caller has blocked this user."),
        "not_joined": ErrorInfo(_CONFLICT, "no", "The connection has not joined the channel."),
        "connection_gone": ErrorInfo(
            _CONFLICT, "no", "The connection that would have joined has ended."
        ),
        "too_many_channels": ErrorInfo(
            _CONFLICT, "no", "The connection has joined as many channels as it may."
        ),
        "message_not_found": ErrorInfo(
            _NOT_FOUND, "no", "There is no such message in the conversation."
        ),
        "message_deleted": ErrorInfo(_CONFLICT, "no", "The message was deleted."),
        "too_many_reactions": ErrorInfo(
            _CONFLICT, "no", "The message has as many reactions as it may have."
        ),
        "upload_not_found": ErrorInfo(
            _NOT_FOUND, "no", "There is no such upload, or it is not for the caller."
        ),
        "attachment_used": ErrorInfo(_CONFLICT, "no", "The upload was sent with a message before."),
        "media_type_refused": ErrorInfo(
            _INVALID, "no", "The file is no image, video or audio file."
        ),
        "media_unreadable": ErrorInfo(
            _INVALID, "no", "The file cannot be read as what it claims to be."
        ),
        "too_many_uploads": ErrorInfo(
            _TOO_MANY, "later", "The account has as many uploads under way as it may."
        ),
        "upload_quota_exceeded": ErrorInfo(
            _CONFLICT,
            "no",
            "The uploads of the account or of the conversation take all the room they may.",
        ),
    },
    "Market": {
        "product_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such product."),
        "sku_taken": ErrorInfo(_CONFLICT, "no", "There is a product with this SKU."),
        "unknown_size": ErrorInfo(_INVALID, "no", "The product does not come in this size."),
        "not_an_operator": ErrorInfo(_FORBIDDEN, "no", "Only operators may do this."),
        "bid_not_found": ErrorInfo(_NOT_FOUND, "no", "The caller has no such bid."),
        "ask_not_found": ErrorInfo(_NOT_FOUND, "no", "The caller has no such ask."),
        "offer_not_found": ErrorInfo(_NOT_FOUND, "no", "The caller has no such offer."),
        "offer_closed": ErrorInfo(
            _CONFLICT, "no", "The offer was matched, cancelled or has expired."
        ),
        "crosses_own_offer": ErrorInfo(
            _CONFLICT, "no", "The caller has an open offer that this one would match."
        ),
        "too_many_open": ErrorInfo(
            _CONFLICT, "no", "The caller has as many offers waiting in this book as it may."
        ),
        "too_many_books": ErrorInfo(
            _CONFLICT, "no", "The connection follows as many books as it may."
        ),
        "too_many_unpaid": ErrorInfo(
            _TOO_MANY, "later", "The caller let too many matches go unpaid."
        ),
        "too_many_cancelled": ErrorInfo(
            _TOO_MANY, "later", "The caller let too many orders be cancelled."
        ),
        "order_not_found": ErrorInfo(
            _NOT_FOUND, "no", "There is no such order, or the caller is no party to it."
        ),
        "not_your_step": ErrorInfo(_FORBIDDEN, "no", "The step is that of the other party."),
        "illegal_step": ErrorInfo(_CONFLICT, "no", "The order's status does not allow this step."),
        "already_paid": ErrorInfo(_CONFLICT, "no", "The order is paid; nothing was charged."),
        "payment_overdue": ErrorInfo(_CONFLICT, "no", "The time to pay is over."),
        "payment_under_way": ErrorInfo(_CONFLICT, "later", "A payment of the order is under way."),
        "payment_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such surplus payment."),
        "payment_ambiguous": ErrorInfo(
            _CONFLICT, "no", "The order has several payments; name one."
        ),
        "payment_amount": ErrorInfo(
            _INVALID, "no", "The amount of the payment is not the order's price."
        ),
        "payment_of_another_order": ErrorInfo(_CONFLICT, "no", "The payment is for another order."),
        "payment_provider_unavailable": ErrorInfo(
            _UNAVAILABLE, "later", "The payment provider does not answer."
        ),
        "payout_amount": ErrorInfo(
            _CONFLICT, "no", "The amount of the payout is not the order's price."
        ),
        "refund_currency": ErrorInfo(
            _INVALID, "no", "The refund is in another currency than the order."
        ),
        "refund_after_delivery": ErrorInfo(
            _CONFLICT, "no", "The order is delivered, so it is not refunded."
        ),
        "refund_at_provider": ErrorInfo(
            _CONFLICT, "no", "The payment has to be refunded at the payment provider."
        ),
        "no_webhook_secret": ErrorInfo(_NOT_FOUND, "no", "No payment provider is connected."),
        "webhook_signature": ErrorInfo(
            _BAD_REQUEST, "no", "The signature of a webhook is missing or does not match."
        ),
        "webhook_too_old": ErrorInfo(_BAD_REQUEST, "no", "The webhook was signed too long ago."),
        "event_in_flight": ErrorInfo(
            _UNAVAILABLE, "later", "Another delivery of this webhook event is under way."
        ),
    },
    "Notifications": {
        "notification_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such notification."),
        "push_not_configured": ErrorInfo(_NOT_FOUND, "no", "The server sends no pushes."),
    },
    "Diary": {
        "entry_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such entry."),
        "entry_deleted": ErrorInfo(_CONFLICT, "no", "The entry was deleted."),
        "too_many_entries": ErrorInfo(
            _CONFLICT, "no", "The diary has as many entries as it may have; delete some."
        ),
        "task_not_found": ErrorInfo(_NOT_FOUND, "no", "There is no such task."),
        "task_deleted": ErrorInfo(_CONFLICT, "no", "The task was deleted."),
        "too_many_tasks": ErrorInfo(
            _CONFLICT, "no", "The diary has as many tasks as it may have; delete some."
        ),
        "not_due_then": ErrorInfo(_CONFLICT, "no", "The task is due on another date."),
        "goal_not_found": ErrorInfo(
            _NOT_FOUND, "no", "There is no such goal, or it is not for the caller."
        ),
        "goal_deleted": ErrorInfo(_CONFLICT, "no", "The goal was deleted."),
        "too_many_goals": ErrorInfo(
            _CONFLICT, "no", "The account owns as many goals as it may; delete some."
        ),
        "step_not_found": ErrorInfo(_NOT_FOUND, "no", "The goal has no such step."),
        "not_of_steps": ErrorInfo(_CONFLICT, "no", "The goal has no steps."),
        "not_of_number": ErrorInfo(_CONFLICT, "no", "The goal has no number to reach."),
        "own_goal": ErrorInfo(_CONFLICT, "no", "The owner of a goal cannot leave it."),
        "not_the_owner": ErrorInfo(_FORBIDDEN, "no", "Only the owner of the goal may do this."),
        "goal_accepted": ErrorInfo(
            _CONFLICT, "no", "The caller shares the goal already and can only leave it."
        ),
        "motivation_not_found": ErrorInfo(_NOT_FOUND, "no", "The motivation is not kept any more."),
    },
}
"""The catalogue, by part of the application."""

CATALOGUE: Final[Mapping[ErrorCode, ErrorInfo]] = {
    code: info for codes in GROUPS.values() for code, info in codes.items()
}
"""Every code."""
