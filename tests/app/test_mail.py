"""The hook to the operator's mail service."""

import logging
from datetime import timedelta

import pytest

from app.mail import hook
from app.mail.hook import MailHook
from models.accounts.links import Link, LinkKind
from models.accounts.recovery import Mail
from models.times import now
from tests.app.mail_service import MailService

TOKEN = "token-that-must-not-be-logged"


@pytest.fixture
async def mails(listening):
    service = MailService()
    service.url = await listening.start(service.app())
    return service


@pytest.fixture
async def mail(accounts):
    account = await accounts.sign_up("ann@example.com", "password123", "Ann")
    link = Link(LinkKind.RESET_PASSWORD, TOKEN, now() + timedelta(hours=1))
    return Mail(account, link, "https://chat.example.com")


def ready(mail):
    async def prepare():
        return mail

    return prepare


@pytest.fixture
async def sender(mails):
    made = MailHook(f"{mails.url}/send?key=secret", retries_s=(0, 0))
    yield made
    await made.close()


async def test_a_mail_is_sent_again(sender, mails, mail, caplog):
    """Errors of the service are waited out; all tries have one key, and no secret is logged."""
    caplog.set_level(logging.DEBUG)
    mails.statuses = [503, 429]
    assert sender.queue(ready(mail))
    sent = await mails.mail()
    assert sent == {
        "id": mail.id,
        "kind": "reset_password",
        "to": "ann@example.com",
        "name": "Ann",
        "language": "en",
        "link": f"https://chat.example.com/#/reset/{TOKEN}",
        "token": TOKEN,
        "expires_at": sent["expires_at"],
    }
    assert [request.headers["Idempotency-Key"] for request in mails.requests] == [mail.id] * 3
    ours = "".join(record.getMessage() for record in caplog.records if record.name == hook.__name__)
    assert "503" in ours
    for secret in (TOKEN, "ann@example.com", "secret"):
        assert secret not in ours


@pytest.mark.parametrize("statuses", [[400], [302], [500, 500, 500]])
async def test_a_mail_is_given_up(sender, mails, mail, statuses, caplog):
    """A refusal ends at once, errors after the last try; the next mail is sent all the same."""
    mails.statuses = [*statuses]
    assert sender.queue(ready(mail))
    while mails.statuses or not caplog.records or "was not sent" not in caplog.text:
        await hook.asyncio.sleep(0)
    assert len(mails.requests) == len(statuses)
    assert sender.queue(ready(mail))
    assert (await mails.mail())["id"] == mail.id


async def test_waiting_mails_are_bounded(sender, mails, mail, monkeypatch):
    """More mails than may wait are not taken; one that is not to be sent is none."""
    monkeypatch.setattr(hook, "WAITING_MAX", 2)
    taken = [sender.queue(ready(None)), sender.queue(ready(mail)), sender.queue(ready(mail))]
    assert taken == [True, True, False]
    assert (await mails.mail())["id"] == mail.id
    assert mails.waiting == 0


async def test_a_service_that_is_away(mail, caplog):
    """A service that cannot be reached costs its tries and one line each."""
    made = MailHook("http://127.0.0.1:9/send", retries_s=(0,))
    made.queue(ready(mail))
    while "was not sent" not in caplog.text:
        await hook.asyncio.sleep(0)
    await made.close()
    assert caplog.text.count("cannot be reached") == 2
