"""Credentials that prove nothing: where they are taken, and where never."""

import pytest

from app.identity.development import DevelopmentCredentials, vietnamese_phone
from app.settings import PRODUCTION
from models.errors import Forbidden, Unauthorized

PHONE = "+84912345678"


@pytest.fixture
def credentials(accounts):
    return DevelopmentCredentials(accounts)


@pytest.mark.parametrize("spelled", [PHONE, " 84912345678", "84912345678", "0912345678"])
def test_a_phone_number_in_any_spelling(spelled):
    """Also as it arrives when the document's URL is used as printed: with a space for the plus."""
    assert vietnamese_phone(spelled) == PHONE


@pytest.mark.parametrize(
    "text", ["", "+84", "+8491234567", "+849123456789", "+1912345678", "+84012345678", "x", "1"]
)
def test_what_is_no_vietnamese_number(text):
    """Other numbers and words are left to the other credentials."""
    assert vietnamese_phone(text) is None


async def test_one_account_for_each(credentials, accounts):
    """The first sight makes the account, the next ones find it; it is known by its phone."""
    first = await credentials.named(PHONE, None)
    assert (first.public_id, first.email, first.expires_at) == (PHONE, None, None)
    assert await credentials.named("0912345678", "other@example.com") == first
    by_email = await credentials.named(None, " Ann@Example.com ")
    assert await credentials.named(None, "ann@example.COM") == by_email
    assert by_email.account_id != first.account_id


async def test_a_token_is_left_to_those_who_verify_it(credentials):
    """A token that is no phone number names nobody, whatever stands beside it."""
    assert await credentials.named("a.b.c", "ann@example.com") is None
    assert await credentials.named(None, None) is None


@pytest.mark.parametrize("email", ["", "x", "a@b", "@", "a b@example.com", "x" * 300 + "@a.com"])
async def test_what_is_no_address(credentials, email):
    """A header that is no e-mail address is refused."""
    with pytest.raises(Unauthorized) as caught:
        await credentials.named(None, email)
    assert caught.value.code == "email_invalid"


async def test_disabled_accounts_are_refused(credentials, accounts):
    """Taking people's word ends where an account is disabled."""
    for token, email in ((PHONE, None), (None, "ann@example.com")):
        identity = await credentials.named(token, email)
        await accounts.disable(identity.account_id)
        with pytest.raises(Forbidden):
            await credentials.named(token, email)


async def test_a_running_server_takes_them_for_chat_only(server, listening):
    """The header and the phone number open the routes of chat, and no others."""
    for headers in ({"User-Email": "ann@example.com"}, {"Authorization": f"Bearer {PHONE}"}):
        for path, status in (("/api/v1/conversations", 200), ("/api/v1/auth/me", 401)):
            async with listening.http.get(server.url + path, headers=headers) as response:
                assert response.status == status, path


async def test_production_takes_none(serve, listening):
    """In production mode a header or a number is no credential, wherever it is sent."""
    server = await serve(environment=PRODUCTION)
    for headers in ({"User-Email": "ann@example.com"}, {"Authorization": f"Bearer {PHONE}"}):
        async with listening.http.get(
            f"{server.url}/api/v1/conversations", headers=headers
        ) as response:
            assert response.status == 401


async def test_a_path_names_an_account_in_several_ways(credentials, accounts):
    """By its id, its phone number however it is written, and its Firebase uid."""
    by_phone = await accounts.find_or_create_by_phone(PHONE)
    by_uid = await accounts.find_or_create_by_firebase("uid-A")
    for account, names in (
        (by_phone, (by_phone.id, PHONE, " 84912345678", "84912345678", "0912345678")),
        (by_uid, (by_uid.id, "uid-A")),
    ):
        for name in names:
            assert (await credentials.by_path(name)).account_id == account.id
    assert [account.id for account in await accounts.list_after()] == ["1", "2"]


@pytest.mark.parametrize("user_id", ["1", "123456789", "9007199254740991"])
async def test_a_number_in_a_path_becomes_the_id(credentials, accounts, user_id):
    """The account has exactly that id, and is found under it from then on."""
    identity = await credentials.by_path(user_id)
    assert (identity.account_id, identity.public_id, identity.email) == (user_id, user_id, None)
    assert await credentials.by_path(user_id) == identity
    assert await accounts.find_by_public_id(user_id) == await accounts.get(user_id)
    assert [account.id for account in await accounts.list_after()] == [user_id]


async def test_a_phone_number_in_a_path_becomes_a_phone(credentials, accounts):
    """Also one that could be read as an id."""
    identity = await credentials.by_path("84912345678")
    assert (identity.account_id, identity.public_id) == ("1", PHONE)


@pytest.mark.parametrize(
    "user_id",
    [
        "0",
        "01",
        "9007199254740992",
        "9" * 400,
        "-1",
        "1.0",
        "\u0661",
        "user@example.com",
        "\0",
        "x",
    ],
)
async def test_other_words_in_a_path_name_nobody(credentials, accounts, user_id):
    """They are refused, and make no account."""
    with pytest.raises(Unauthorized) as caught:
        await credentials.by_path(user_id)
    assert caught.value.code == "user_unknown"
    assert await accounts.list_after() == []


async def test_a_disabled_account_is_not_let_in_by_its_path(credentials, accounts):
    """Neither under its id nor its phone number."""
    account = await accounts.find_or_create_by_phone(PHONE)
    await accounts.disable(account.id)
    for name in (account.id, PHONE):
        with pytest.raises(Forbidden):
            await credentials.by_path(name)
