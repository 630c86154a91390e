"""Which payment provider a server has, by its environment."""

import pytest

from app.settings import Settings, SettingsError


@pytest.fixture
def production(settings, monkeypatch):
    for name, value in (("ENVIRONMENT", "production"), ("MONGODB_URI", "mongodb://localhost/x")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PAYMENT_PROVIDER", raising=False)
    monkeypatch.delenv("PAYMENT_WEBHOOK_SECRETS", raising=False)


def test_development_pays_with_test_cards(settings):
    """On one's own machine the test provider is the default, and no webhook is accepted."""
    assert settings.payment_provider == "test"
    assert settings.payment_webhook_secrets == ()


def test_production_waits_for_webhooks(production, monkeypatch):
    """In production payments come by webhook, signed with one of the secrets that are set."""
    monkeypatch.setenv("PAYMENT_WEBHOOK_SECRETS", "whsec_old,whsec_new")
    monkeypatch.setenv("OPERATOR_ACCOUNTS", "1,7")
    read = Settings.from_env()
    assert read.payment_provider == "webhook"
    assert read.payment_webhook_secrets == ("whsec_old", "whsec_new")
    assert read.operator_accounts == ("1", "7")
    assert "whsec_old" not in repr(read)


def test_production_refuses_test_cards(production, monkeypatch):
    """A production server with the test provider does not start."""
    monkeypatch.setenv("PAYMENT_PROVIDER", "test")
    with pytest.raises(SettingsError, match="PAYMENT_PROVIDER"):
        Settings.from_env()


async def test_the_server_has_a_webhook_with_a_secret_only(serve):
    """The endpoint answers 404 without a secret, and looks at signatures with one."""
    for secrets, expected in (((), 404), (("whsec_1",), 400)):
        server = await serve(payment_webhook_secrets=secrets)
        status, _ = await server.call(None, "POST", "/api/v1/payments/webhook", {})
        assert status == expected


async def test_outside_development_products_are_added_by_operators(serve):
    """A server in production lets the accounts of OPERATOR_ACCOUNTS add products, and no other."""
    shoe = {"name": "Nike Air Jordan 1", "sku": "AJ1", "sizes": ["US 9"]}
    server = await serve(environment="production", operator_accounts=("1",))
    operator = server.issue(await server.accounts.find_or_create_by_id("1"))
    other = await server.token("other")
    assert (await server.call(other, "POST", "/api/v1/products", shoe))[0] == 403
    assert (await server.call(operator, "POST", "/api/v1/products", shoe))[0] == 201


def test_orders_wait_for_their_payment_for_a_day(settings, monkeypatch):
    """The time to pay is 24 hours unless it is set; none at all is refused."""
    assert settings.order_payment_hours == 24
    monkeypatch.setenv("ORDER_PAYMENT_HOURS", "2")
    assert Settings.from_env().order_payment_hours == 2
    monkeypatch.setenv("ORDER_PAYMENT_HOURS", "0")
    with pytest.raises(SettingsError, match="ORDER_PAYMENT_HOURS"):
        Settings.from_env()
