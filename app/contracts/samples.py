"""Examples for the documents: values by the names of fields, put together as a schema says.

What has a place in the demo (`app.demo`) is named as there, so that the requests work on a server
which has loaded it: the people, the conversation `general`, the product 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_TIME = "2026-03-01T12:00:00.000Z"
_LATER = "2026-03-02T12:00:00.000Z"
_DATE = "2026-03-01"
_KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
"""The receiver's key of RFC 8291 (appendix A)."""

_HEX = "9f86d081884c7d659a2feaa0c55ad015"

_VALUES: Mapping[str, Sequence[object]] = {
    "about": ("general:7",),
    "access_token": ("eyJhbGciOi…",),
    "account_id": ("1",),
    "action": ("user.disabled",),
    "actions": (["refund", "deliver"],),
    "address": ("203.0.113.7",),
    "amount": ("220.00", 5),
    "answer": ("accepted",),
    "archived": (False,),
    "archived_ids": ([12],),
    "ask_id": (_HEX,),
    "attachments": ([],),
    "audience_user_ids": ([],),
    "auth": ("BTBZMqHH6r4Tts7J_aSIgg",),
    "author_email": ("test@example.com",),
    "author_id": ("1",),
    "author_name": ("Test",),
    "author_public_id": ("1",),
    "blocked": (True,),
    "blocked_user_id": ("3",),
    "buyer_id": ("1",),
    "card_number": ("4242424242424242",),
    "carrier": ("UPS",),
    "channel_id": ("general",),
    "channel_ids": (["general"],),
    "checkout_url": ("https://checkout.example.com/pay/1",),
    "checksum": (2144411921,),
    "checksums": ([2144411921],),
    "client": ("Firefox on Linux",),
    "client_id": ("7d0c4f4e", None),
    "client_secret": ("pi_1_secret_1",),
    "close": ("221.00",),
    "code": ("payment_amount", 1001),
    "complaint": (None,),
    "completion_rate": (0.75,),
    "confirm": ("delete",),
    "connected_users": (3,),
    "content": ("See you at noon?",),
    "content_type": ("image/png",),
    "conversation_id": ("general",),
    "created": (True,),
    "created_by": ("1",),
    "currency": ("usd",),
    "current": (12, True),
    "current_challenge": ("Working on a difficult feature",),
    "current_password": ("password123",),
    "date": (_DATE,),
    "day": (_DATE,),
    "deadline": (_LATER,),
    "decided_by": (None,),
    "declined": ("4000000000000002",),
    "deleted_at": (None,),
    "details": (None,),
    "detail": ("Some fields are not valid.",),
    "disabled": (False,),
    "done": (False,),
    "door": ("/chat",),
    "due_date": (_DATE,),
    "due_time": ("18:00",),
    "edited_at": (None,),
    "email": ("test@example.com",),
    "emoji": ("🎉",),
    "endpoint": ("https://push.example.com/send/abc",),
    "entry_id": (_HEX,),
    "event": ("new_message",),
    "expires_at": (_LATER,),
    "expires_in": (3600,),
    "from": (_DATE,),
    "goal_id": (_HEX,),
    "high": ("225.00",),
    "highest_bid": ("219.00",),
    "id": (_HEX, 123),
    "ids": ("1,2",),
    "invite": ("3f2a9c0d5e6b7a8190",),
    "kind": ("number",),
    "language": ("en",),
    "languages": (["de", "en"],),
    "link": ("/orders/1",),
    "longest": (21,),
    "low": ("218.00",),
    "lowest_ask": ("220.00",),
    "matched_price": (None,),
    "member": ("2",),
    "member_ids": (["1", "2"],),
    "members": (["2"], 3),
    "mentions": (["2"],),
    "message": ("Your bid for Nike Air Jordan 1 (US 9) has been matched at $220",),
    "message_id": ("general:7",),
    "message_type": ("text",),
    "missed": ([],),
    "mode": ("open",),
    "mood": (4,),
    "more": (False,),
    "more_after": (False,),
    "more_asks": (False,),
    "more_before": (True,),
    "more_bids": (True,),
    "motivation_text": ("One step at a time: you have done harder things than this.",),
    "muted": (["order_reminder"],),
    "my_reaction": (None,),
    "name": ("Test",),
    "namespace": ("/chat",),
    "network": ("203.0.113.7",),
    "new_email": ("test.person@example.com",),
    "new_password": ("correct horse battery",),
    "next": (None,),
    "note": (None,),
    "notes": ("Bring the signed form.",),
    "open": ("220.00",),
    "operator_id": ("1",),
    "order_id": ("1",),
    "owner": ("1",),
    "p256dh": (_KEY,),
    "participants": (["alice@example.com"],),
    "password": ("password123",),
    "payment_id": ("order-1-1",),
    "pays": ("4242424242424242",),
    "pending": ([],),
    "phone": ("+84912345678",),
    "picture": ("/api/v1/users/1/picture?v=1c2d3e4f5a6b7c8d",),
    "price": ("220.00",),
    "priority": ("high",),
    "private": (False,),
    "process": ("web.1",),
    "product_id": ("1",),
    "product_name": ("Nike Air Jordan 1",),
    "progress": (0.6,),
    "provider": ("test",),
    "public_id": ("1",),
    "public_key": (_KEY,),
    "push": ("not_requested",),
    "push_reason": (None,),
    "q": ("jordan",),
    "ranges": ([[11, 13]],),
    "reason": ("spam", "client left"),
    "refresh_token": ("Zk3vW2m0q7s9u1x4y6A8C0E2G4I6K8M0",),
    "refunded_amount": ("0.00",),
    "reminder_id": (_HEX,),
    "repeat": ("weekly",),
    "reply_to": (None,),
    "report_id": ("story:550e8400-e29b-41d4-a716-446655440000:2",),
    "reporter_id": ("2",),
    "request": (False,),
    "room": ("conversation:general",),
    "rooms": (["conversation:general"],),
    "role": ("buyer",),
    "seller_id": ("2",),
    "send_push": (False,),
    "service": ("realtime",),
    "session_id": (_HEX,),
    "side": ("bid",),
    "sign_up": ("open",),
    "sign_ups": ("open",),
    "size": ("US 9", 48_213),
    "sizes": (["US 9", "US 10"],),
    "sku": ("AJ1-RED",),
    "source": ("template",),
    "status": ("open", 200),
    "step_id": ("1",),
    "story_id": ("550e8400-e29b-41d4-a716-446655440000",),
    "stress_level": (7,),
    "subject": ("2",),
    "subject_id": ("550e8400-e29b-41d4-a716-446655440000",),
    "tag": ("work",),
    "tags": (["work", "family"],),
    "target": (20,),
    "task_id": (_HEX,),
    "test": (True,),
    "text": ("Hello World",),
    "time_zone": ("Europe/Berlin",),
    "title": ("Read twenty books",),
    "to": (_DATE,),
    "token": ("eyJhbGciOi…",),
    "token_type": ("bearer",),
    "told": (True, ["1"]),
    "total": (3,),
    "total_clients": (3,),
    "tracking": ("1Z999AA10123456784",),
    "type": ("match_created",),
    "unit": ("books",),
    "unread": (2,),
    "unread_ranges": ([[11, 12]],),
    "upload_bytes": (10_485_760,),
    "upload_id": (_HEX,),
    "user": ("test@example.com",),
    "user_email": ("test@example.com",),
    "user_id": ("2", 2),
    "user_ids": (["1", "2"],),
    "user_name": ("Test",),
    "user_public_id": ("1",),
    "v": ("1c2d3e4f5a6b7c8d",),
    "value": (13,),
    "vapid_public_key": (None,),
    "viewed": (False,),
    "viewer_id": ("2",),
    "visibility": ("PUBLIC",),
    "volume": (4,),
    "waits_for": (["order 1"],),
    "why": (None,),
}
"""By the name of a field, alternatives of different types."""

_IN: Mapping[tuple[str, str], object] = {
    ("AttachmentView", "name"): "photo.png",
    ("BookChanged", "quantity"): 2,
    ("ChangeStatus", "status"): "busy",
    ("ChannelView", "id"): "general",
    ("ChannelView", "kind"): "channel",
    ("ChannelView", "title"): "General",
    ("ComplainOrder", "text"): "The left shoe is scratched.",
    ("ConnectedView", "status"): "healthy",
    ("ConversationView", "id"): "general",
    ("ConversationView", "kind"): "channel",
    ("ConversationView", "title"): "General",
    ("CreateChannel", "name"): "gardeners",
    ("CreateChannel", "title"): "Gardeners",
    ("CreateConversation", "title"): "Trip to the sea",
    ("CreateEntry", "text"): "A long walk, and the letter is written.",
    ("CreateProduct", "name"): "Nike Air Jordan 1 Low",
    ("CreateTask", "title"): "Hand in the form",
    ("Decision", "status"): "dismissed",
    ("EndedConnectionView", "code"): 1001,
    ("EndedConnectionView", "reason"): "client left",
    ("EntryView", "text"): "A long walk, and the letter is written.",
    ("EventProblemView", "code"): "payment_amount",
    ("EventProblemView", "message"): "This is not the order's price.",
    ("ExplainedAccountView", "id"): "1",
    ("GoalView", "completed_at"): None,
    ("HealthView", "reason"): "the database is away",
    ("HealthView", "status"): "healthy",
    ("InviteView", "code"): "3f2a9c0d5e6b7a8190",
    ("LinkView", "link"): "https://example.com/#/reset/3f2a9c0d5e6b7a81",
    ("ListedConversationView", "id"): "general",
    ("ListedConversationView", "kind"): "channel",
    ("ListedConversationView", "status"): "available",
    ("ListedConversationView", "title"): "General",
    ("LiveView", "status"): "alive",
    ("MemberView", "status"): "available",
    ("MessageView", "id"): "general:7",
    ("Notice", "text"): "The server restarts at 18:00.",
    ("NotificationView", "title"): "Your bid has been matched!",
    ("Notified", "title"): "Your bid has been matched!",
    ("OfferView", "expires_at"): None,
    ("OfferView", "order_id"): None,
    ("OrderChanged", "status"): "paid",
    ("OrderStepView", "reason"): None,
    ("OrderStepView", "status"): "created",
    ("OrderToPayView", "carrier"): None,
    ("OrderToPayView", "id"): "1",
    ("OrderToPayView", "payment_id"): None,
    ("OrderToPayView", "status"): "created",
    ("OrderToPayView", "tracking"): None,
    ("OrderView", "carrier"): None,
    ("OrderView", "id"): "1",
    ("OrderView", "payment_id"): None,
    ("OrderView", "status"): "created",
    ("OrderView", "tracking"): None,
    ("OwnAccountView", "id"): "1",
    ("Place", "price"): "48.00",
    ("ProductView", "id"): "1",
    ("ProductView", "name"): "Nike Air Jordan 1",
    ("PublicUser", "id"): "1",
    ("QuotedProductView", "id"): "1",
    ("QuotedProductView", "name"): "Nike Air Jordan 1",
    ("ReactionView", "user_id"): "2",
    ("ReadyView", "reason"): "the database is away",
    ("ReadyView", "status"): "ready",
    ("ReportForOperatorsView", "decided_at"): None,
    ("ReportForOperatorsView", "kind"): "story",
    ("ReportView", "kind"): "story",
    ("SendNotification", "title"): "Your bid has been matched!",
    ("ShownUser", "id"): "1",
    ("ShownUser", "kind"): "account",
    ("SignUp", "email"): "carol@example.com",
    ("SignUp", "name"): "Carol",
    ("SomePreferences", "order_reminder"): False,
    ("StepView", "title"): "Choose a book",
    ("StoryCreated", "id"): "550e8400-e29b-41d4-a716-446655440000",
    ("StoryForCaller", "id"): "550e8400-e29b-41d4-a716-446655440000",
    ("StuckOrderView", "complaint"): "The left shoe is scratched.",
    ("StuckOrderView", "id"): "1",
    ("StuckOrderView", "status"): "shipped",
    ("StuckView", "reason"): "complaint",
    ("TaskView", "completed_at"): None,
    ("TaskView", "title"): "Hand in the form",
    ("UnusableEventView", "type"): "payment_intent.succeeded",
    ("UpdateEntry", "text"): "A long walk, and the letter is sent.",
    ("UpdateTask", "title"): "Hand in the signed form",
    ("UserView", "status"): "available",
    ("WholeConversationView", "id"): "general",
    ("WholeConversationView", "kind"): "channel",
    ("WholeConversationView", "status"): "available",
    ("WholeConversationView", "title"): "General",
}
"""By type and field, where a name means different things."""

_UNSAID = frozenset(
    {
        *("attachments", "client_id", "confirm", "date", "expires_at", "invite", "members", "note"),
        *("phone", "reply_to", "steps", "up_to"),
    }
)
"""Fields that an example of a request leaves out unless they are required."""

_TYPES: Mapping[type, frozenset[str]] = {
    str: frozenset({"string"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    list: frozenset({"array"}),
    type(None): frozenset({"null"}),
}


class Samples:
    """Makes examples; `components` are the schemas that others refer to."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components

    def request(self, schema: Schema, kind: str) -> Any:
        """Return what a client might send; `kind` is the name of the request's type."""
        fields, required = schema.get("properties", {}), schema.get("required", ())
        return {
            name: self.of(fields[name], name, kind)
            for name in fields
            if name in required or (name not in _UNSAID and _known(fields[name], name, kind))
        }

    def of(self, schema: Schema, name: str = "", kind: str = "") -> Any:
        """Return a value of a schema, for the field `name` of the type `kind`."""
        if "$ref" in schema:
            referred = str(schema["$ref"]).rpartition("/")[2]
            return self.of(self._components[referred], name, referred.rpartition(".")[2])
        if "const" in schema:
            return schema["const"]
        for value in _known(schema, name, kind):
            return value
        if "anyOf" in schema or "oneOf" in schema:
            return self.of(schema.get("anyOf", schema.get("oneOf", ()))[0], name, kind)
        if "enum" in schema:
            return schema["enum"][0]
        match _types(schema)[0]:
            case "object":
                return self._object(schema, name, kind)
            case "array":
                return [self.of(schema.get("items", {}), name, kind)]
            case "boolean":
                return True
            case "integer" | "number":
                return max(1, schema.get("minimum", 1))
            case "null":
                return None
        return _text(name)

    def _object(self, schema: Schema, name: str, kind: str) -> dict[str, Any]:
        fields = schema.get("properties", {})
        if not fields and isinstance(schema.get("additionalProperties"), dict):
            return {"/chat": self.of(schema["additionalProperties"], name, kind)}
        return {each: self.of(fields[each], each, kind) for each in fields}


def sample(schema: Schema, name: str) -> Any:
    """Return a value for the parameter `name`, whose schema refers to no other."""
    return Samples({}).of(schema, name)


def _known(schema: Schema, name: str, kind: str) -> list[object]:
    """Return the values that are known for a field and are as its schema says; at most one."""
    values = [_IN[kind, name]] if (kind, name) in _IN else _VALUES.get(name, ())
    allowed = {*_types(schema)}
    if _record(schema):
        values = []
    found = [value for value in values if _TYPES[type(value)] & allowed]
    return [value for value in found if value in schema.get("enum", [value])][:1]


def _record(schema: Schema) -> bool:
    """Whether a schema has records in it, whose fields have values of their own."""
    return "$ref" in schema or "$ref" in schema.get("items", {})


def _types(schema: Schema) -> list[str]:
    """Return the JSON types that a schema allows, the first one first."""
    options = schema.get("anyOf", schema.get("oneOf"))
    if options is not None:
        return [each for option in options for each in _types(option)]
    if "type" not in schema:
        return ["object"] if "$ref" in schema else ["string"]
    kinds = schema["type"]
    return kinds if isinstance(kinds, list) else [kinds]


def _text(name: str) -> str:
    if name.endswith("_at"):
        return _TIME
    if name in ("at", "since"):
        return _TIME
    if name.endswith("_id"):
        return _HEX
    return _DATE
