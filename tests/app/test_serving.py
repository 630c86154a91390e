"""What a starting server tells its operator."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.__main__ import main
from app.serving import welcome
from app.storage import mongodb
from tests.programs import free_port


@pytest.mark.usefixtures("logging_as_it_was")
def test_a_database_that_is_away_is_one_sentence(settings, monkeypatch, capsys):
    """A server that cannot reach its database gives up: one sentence, exit status 1."""
    monkeypatch.setitem(mongodb.MOTOR_OPTIONS, "serverSelectionTimeoutMS", 100)
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{free_port()}/realtime")
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setattr(sys, "argv", ["app"])
    assert main() == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "database" in errors


def test_the_welcome_is_what_to_do_next(settings):
    """Addresses have the port that is listened on, and the page, the token and doors are named."""
    text = welcome(replace(settings, port=4321, mongodb_uri=None))
    assert "http://localhost:4321/ " in text
    assert 'curl -X POST http://localhost:4321/login -H "Content-Type: application/json"' in text
    assert '{"email":"test@example.com","password":"password123"}' in text
    assert "ws://localhost:4321/ws?token=" in text
    assert str(settings.data_dir) in text
    assert "this machine only" in text
    assert settings.jwt_secret not in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_welcome_warns_of_other_machines(settings, host):
    """Development mode that others can reach says so."""
    assert "other machines included" in welcome(replace(settings, host=host))


def test_the_welcome_names_accepted_credentials(settings):
    """A configured Firebase project is a way in."""
    assert "Firebase" not in welcome(settings)
    assert "project shop-1" in welcome(replace(settings, firebase_project_id="shop-1"))


def test_the_welcome_does_not_show_the_database_address(settings):
    """The address holds a password."""
    text = welcome(replace(settings, mongodb_uri="mongodb://u:hidden@db", data_dir=Path("/x")))
    assert "hidden" not in text
    assert "MongoDB" in text
