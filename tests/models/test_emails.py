"""When two e-mail addresses are the same."""

import pytest
from marshmallow import ValidationError

from models.accounts.emails import differ_in_case, exact, folded
from models.accounts.schema import email_field

EMAIL = email_field()

ALIKE = [
    ("straße@example.com", "strasse@example.com"),
    ("STRASSE@example.com", "straße@example.com"),
    ("Ann@example.com", "ann@example.com"),
    ("\uff21nn@example.com", "ann@example.com"),
    ("ﬁn@example.com", "fin@example.com"),
    ("\u212aim@example.com", "kim@example.com"),
    ("ann@straße.de", "ann@strasse.de"),
    ("ann@xn--strae-oqa.de", "ann@strasse.de"),
]

ONE_ADDRESS = [
    ("x@münchen.de", "x@xn--mnchen-3ya.de"),
    ("x@MÜNCHEN.de", "x@XN--MNCHEN-3YA.DE"),
    ("x@\uff4dünchen\u3002de", "x@münchen.de"),
    ("x@Example.COM", "x@example.com"),
    ("josé@bücher.example", "josé@xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_alike_is_not_the_same(one, other):
    """What looks alike is refused as a duplicate and never handed over."""
    assert folded(one) == folded(other)
    assert exact(one) != exact(other)


@pytest.mark.parametrize(("one", "other"), ONE_ADDRESS)
def test_spellings_of_one_domain(one, other):
    """A domain in Unicode, in `xn--` form or in other letter case is one domain."""
    assert exact(one) == exact(other)
    assert folded(one) == folded(other)
    for spelling in (one, other):
        assert EMAIL.deserialize(spelling) == spelling


def test_other_people():
    """Different addresses differ in every respect."""
    for one, other in (("a@example.com", "b@example.com"), ("a@x.de", "a@y.de")):
        assert folded(one) != folded(other)
        assert not differ_in_case(one, other)


def test_what_people_mean():
    """Letter case is what people get wrong when they type; nothing else is passed over."""
    assert differ_in_case("Ann@Example.com", "ann@example.COM")
    assert not differ_in_case("straße@example.com", "strasse@example.com")
    assert not differ_in_case("\u212aim@example.com", "kim@example.com")


@pytest.mark.parametrize(
    "text",
    [
        *(f"an{character}n@example.com" for character in "\u200b\u200d\u00ad\u202e\u2066\u061c"),
        *(f"an{character}n@example.com" for character in "\ufeff\x07\n\x00\u3164\ufe0f\u2800 "),
        *(f"ann@exa{character}mple.com" for character in "\u200b\u00ad\u202e\x1f\u2060"),
        "ann\ud800@example.com",
        '"ann"@example.com',
        "ann@xn--a.de",
        "ann@xn--mnchen-3yaa\u200b.de",
        "ann@-.de",
        "a" * 3000 + "@example.com",
        "ann@" + "ü" * 200 + ".de",
        "a@b@example.com",
        "@example.com",
        "ann",
        "",
    ],
)
def test_no_address(text):
    """Characters that show nothing or reorder, and what a domain cannot be, are refused."""
    with pytest.raises(ValidationError):
        EMAIL.deserialize(text)


@pytest.mark.parametrize("text", ["ann@xn--a.de", "\u202e@\u202e", "ann", "", "@", "a@b@\udc80"])
def test_anything_can_be_compared(text):
    """What people type at a login, and what older releases stored, has its forms all the same."""
    assert exact(text) == exact(text.upper().lower() if text.isascii() else text)
    assert isinstance(folded(text), str)
