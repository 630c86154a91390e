"""Which language model a server has, by its environment."""

import pytest

from app.llm.generator import add_generator
from app.settings import Settings, SettingsError

KEY = "sk-very-secret"


@pytest.fixture
def read(settings, monkeypatch):
    """Read settings with these variables of the model."""

    def read(**variables):
        for name in ("LLM_URL", "LLM_KEY", "LLM_MODEL", "LLM_TIMEOUT_S"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Settings.from_env()

    return read


def test_none(read):
    """Without an address there is no model, whatever else is set."""
    settings = read(LLM_KEY=KEY, LLM_URL="")
    assert settings.llm_url is None
    assert settings.llm_timeout_s == 8
    assert add_generator(None, settings) is None


def test_one(read):
    """Address, key, model and time are read; the key is not shown, nor is the address."""
    url = "https://llm.example.com/v1?token=t0ken"
    settings = read(LLM_URL=url, LLM_KEY=KEY, LLM_MODEL="small", LLM_TIMEOUT_S="2.5")
    assert (settings.llm_url, settings.llm_key, settings.llm_model) == (url, KEY, "small")
    assert settings.llm_timeout_s == 2.5
    assert KEY not in repr(settings)
    assert "t0ken" not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"LLM_URL": "https://llm.example.com/v1"}, "LLM_MODEL"),
        ({"LLM_URL": "https://llm.example.com/v1", "LLM_MODEL": ""}, "LLM_MODEL"),
        ({"LLM_URL": "llm.example.com", "LLM_MODEL": "small"}, "LLM_URL"),
        ({"LLM_URL": "file:///etc/passwd", "LLM_MODEL": "small"}, "LLM_URL"),
        ({"LLM_URL": "https://", "LLM_MODEL": "small"}, "LLM_URL"),
        ({"LLM_URL": "https://u:hidden@llm.example.com", "LLM_MODEL": "small"}, "LLM_URL"),
        ({"LLM_URL": "http://[::1", "LLM_MODEL": "small"}, "LLM_URL"),
        ({"LLM_URL": "http://llm.example.com:http", "LLM_MODEL": "small"}, "LLM_URL"),
        ({"LLM_KEY": "hidden\nX-Header: 1"}, "LLM_KEY"),
        ({"LLM_KEY": "hiddén"}, "LLM_KEY"),
        ({"LLM_TIMEOUT_S": "0"}, "LLM_TIMEOUT_S"),
    ],
)
def test_what_makes_no_sense(read, variables, named):
    """The server does not start, names the variable, and repeats no secret."""
    with pytest.raises(SettingsError, match=named) as refused:
        read(**variables)
    assert "hidd" not in str(refused.value)
