"""Languages of accounts: what people and browsers send, and what the catalogues need."""

import re

from marshmallow import ValidationError

_TAG = re.compile(
    r"(?P<primary>[a-z]{2,3})(?:-[a-z]{3}){0,3}"  # primary language and extended ones
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*"  # extensions
    r"(?:-x(?:-[a-z0-9]{1,8})+)?",  # private use
    re.ASCII | re.IGNORECASE,
)
"""RFC 5646, section 2.1 (BCP 47): the tags that begin with a language of ISO 639."""


def primary_language(tag: str) -> str:
    """Return the primary language of a BCP 47 tag in lower case: `en` of `en-US`.

    Raises:
        ValidationError: it is no tag of a language.
    """
    found = _TAG.fullmatch(tag)
    if found is None:
        raise ValidationError("Write it as in BCP 47: en or en-US.")
    return found["primary"].lower()
