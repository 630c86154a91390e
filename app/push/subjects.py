"""Whom push services turn to: the subject of VAPID (RFC 8292)."""

import re

DEVELOPMENT_SUBJECT = "mailto:developer@example.com"
"""Of a form that every service takes; on one's own machine there is no operator to be reached."""

_SUBJECT = re.compile(
    r"(?:mailto:[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@|https://)"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9])"
    r"(?::[0-9]{1,5})?(?:/[!-~]*)?"
)
"""RFC 8292, section 2.1. Apple answers `BadJwtToken` to spaces, and to hosts such as localhost."""

_LOCAL = frozenset({"localhost", "local", "internal", "localdomain", "invalid", "test"})
SUBJECT_ERROR = (
    "VAPID_SUBJECT is not an address like mailto:admin@example.com or https://example.com/contact."
)


def is_subject(text: str) -> bool:
    """Whether push services take `text` for someone they can reach."""
    found = _SUBJECT.fullmatch(text)
    return found is not None and found["host"].rpartition(".")[2].lower() not in _LOCAL
