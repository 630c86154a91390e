"""E-mail addresses: what one may look like, and when two of them are the same.

There are three answers to "the same", and each caller names the one that it needs:

* `folded`: what people or fonts take for the same. Refuses duplicates at sign-up, and finds the
  account of a login, where the password is the proof. `straße@x.de` is `STRASSE@x.de`.
* `exact`: the address that a provider verified, character by character; only the domain has several
  spellings (letter case, Unicode or `xn--`, UTS 46). An account is handed over on this one alone.
* `differ_in_case`: what a person types who means an address. Used to find people, after `exact`.
"""

import idna
from marshmallow import ValidationError, validate

from models.text import caseless, has_invisible

EMAIL_MAX = 254
"""Characters that RFC 5321 leaves for an address in a path."""

_FORM = validate.Email()
_ACE = "xn--"


def check_email(text: str) -> None:
    """Refuse what is no address, or one that shows less than it contains.

    Quoted local parts are refused as well: `"ann"@x.de` would be a second spelling of `ann@x.de`,
    and no provider hands such addresses out.

    Raises:
        ValidationError: it is not acceptable.
    """
    if has_invisible(text) or text.startswith('"'):
        raise ValidationError(_FORM.error)
    local, _, domain = text.rpartition("@")
    try:
        _FORM(f"{local}@{_to_ascii(domain)}")
    except UnicodeError:
        raise ValidationError(_FORM.error) from None


def exact(email: str) -> str:
    """Return the form that is equal for one verified address only; see the module."""
    local, at, domain = email.strip().rpartition("@")
    return f"{local}{at}{_ascii_if_possible(domain)}"


def folded(email: str) -> str:
    """Return the form that is equal for all that look alike (NFKC_Casefold); see the module."""
    local, at, domain = email.strip().rpartition("@")
    return f"{caseless(local)}{at}{caseless(_to_unicode(_ascii_if_possible(domain)))}"


def differ_in_case(one: str, other: str) -> bool:
    """Whether two addresses differ in the case of ASCII letters, or not at all."""
    return _lower(exact(one)) == _lower(exact(other))


def _to_ascii(domain: str) -> str:
    """Return a domain as DNS has it (IDNA 2008 after UTS 46, so that ß stays ß).

    Raises:
        UnicodeError: it has no such form.
    """
    lowered = domain.lower()
    if domain.isascii() and _ACE not in lowered:
        # `r3--sn.example` and `[127.0.0.1]` are no IDNA names, and need not be.
        return lowered
    encoded: bytes = idna.encode(domain, uts46=True)
    return encoded.decode("ascii")


def _ascii_if_possible(domain: str) -> str:
    # Addresses kept since before `check_email`, and what people type at a login, may be anything.
    try:
        return _to_ascii(domain)
    except UnicodeError:
        return domain.lower()


def _to_unicode(domain: str) -> str:
    if _ACE not in domain:
        return domain
    try:
        return idna.decode(domain)
    except UnicodeError:
        return domain


def _lower(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)
