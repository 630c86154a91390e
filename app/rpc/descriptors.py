"""The messages of `notification.proto`, described in code: nothing generated is kept."""

from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

PACKAGE = "notification"
SERVICE = f"{PACKAGE}.NotificationService"

_INT64 = FieldDescriptorProto.TYPE_INT64
_STRING = FieldDescriptorProto.TYPE_STRING
_BOOL = FieldDescriptorProto.TYPE_BOOL

MESSAGES = {
    "SendNotificationRequest": (
        ("user_id", _INT64),
        ("type", _STRING),
        ("title", _STRING),
        ("message", _STRING),
        ("link", _STRING),
        ("send_push", _BOOL),
        ("idempotency_key", _STRING),
    ),
    "SendNotificationResponse": (
        ("id", _INT64),
        ("user_id", _INT64),
        ("created", _BOOL),
        ("push", _STRING),
        ("push_reason", _STRING),
    ),
}
"""Each message and its fields, numbered from 1 in this order: never reorder, only append."""


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="notification.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, start=1):
            message.field.add(
                name=field, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL
            )
    file.service.add(name="NotificationService").method.add(
        name="SendNotification",
        input_type=f".{PACKAGE}.SendNotificationRequest",
        output_type=f".{PACKAGE}.SendNotificationResponse",
    )
    return file


def _message(name: str) -> Any:
    # The default pool, because that is where server reflection looks.
    pool = descriptor_pool.Default()
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


FILE = descriptor_pool.Default().AddSerializedFile(_file().SerializeToString())
Request = _message("SendNotificationRequest")
Response = _message("SendNotificationResponse")
