"""The page under a path of its own, behind a proxy that takes the path away."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.web.browsers import (
    DESKTOP,
    Person,
    Server,
    free_port,
    needs_browser,
)

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    needs_browser,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]

CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
  server {{
    listen 127.0.0.1:{port};
    location /some/where/ {{
      proxy_pass http://127.0.0.1:{upstream}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


@pytest.fixture
def url(server: Server, tmp_path: Path) -> Iterator[str]:
    """The page's address at the proxy."""
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=tmp_path, port=port, upstream=server.port), encoding="utf-8"
    )
    proxy = subprocess.Popen([str(NGINX), "-p", str(tmp_path), "-c", str(configuration)])
    yield f"http://127.0.0.1:{port}/some/where/"
    proxy.terminate()
    proxy.wait(timeout=10)


def test_page_works_under_a_path(people: list[Person], url: str) -> None:
    """Files, REST and the live connection are all found beneath the path, and so are links."""
    person = Person(people[0].driver, url, DESKTOP)
    person.until(lambda: _is_up(person))
    person.sign_up("subpath@example.com")
    assert person.text("#title") == "Stories"
    asked = person.driver.execute_script(
        "return performance.getEntriesByType('resource').map(({ name }) => name)"
    )
    assert asked
    assert [address for address in asked if not address.startswith(url)] == []
    person.driver.get(f"{url}orders/12")
    person.until(lambda: person.driver.current_url == f"{url}#/market/orders/12")
    person.wait_for_state("live")
    person.driver.get(f"{url}products/3")
    person.until(lambda: person.driver.current_url.startswith(f"{url}#/market/3"))


def _is_up(person: Person) -> bool:
    person.driver.get(person.url)
    return bool(person.all("#title"))
