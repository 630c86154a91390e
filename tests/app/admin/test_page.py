"""The operators' page: its policy, its files, its two languages."""

import re

from aiohttp import ClientSession

from app.admin.page import ASSETS
from models.oversight.schema import REASONS

KEY = re.compile(r'^  (\w+): "(.*)",$', re.MULTILINE)
PLACE = re.compile(r"\{(\w+)\}")


def texts(language):
    return dict(KEY.findall((ASSETS / f"{language}.js").read_text(encoding="utf-8")))


async def get(server, path, **headers):
    async with ClientSession() as http, http.get(server.url + path, headers=headers) as answer:
        return answer.status, answer.headers, await answer.text()


async def test_the_page_and_its_files(server):
    """Every file that it names is there, by a relative name, under a policy without exceptions."""
    status, headers, page = await get(server, "/admin")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    named = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert named == ["admin/style.css", "admin/admin.js"]
    for name in (*named, "admin/en.js", "admin/vi.js"):
        status, headers, _ = await get(server, f"/{name}")
        assert (status, headers["Content-Security-Policy"]) == (200, policy)
        again, _, _ = await get(server, f"/{name}", **{"If-None-Match": headers["ETag"]})
        assert again == 304
    for name in ("index.html", "..%2fpage.py", "none.js"):
        assert (await get(server, f"/admin/{name}"))[0] == 404
    # Nothing that the policy would refuse.
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src)", page)


def test_no_text_becomes_markup():
    """What people wrote is set as text only."""
    script = (ASSETS / "admin.js").read_text(encoding="utf-8")
    for sink in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        ".style",
    ):
        assert sink not in script


def test_both_languages_say_everything():
    """Each text is there in both, with the same values in it, and every one is used."""
    english, vietnamese = texts("en"), texts("vi")
    assert len(english) > 60
    assert english.keys() == vietnamese.keys()
    for key, text in english.items():
        assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(vietnamese[key])), key
    script = (ASSETS / "admin.js").read_text(encoding="utf-8")
    page = (ASSETS / "index.html").read_text(encoding="utf-8")
    made = {f"reason_{reason}" for reason in REASONS} | {"kind_message", "kind_story"}
    used = {key for key in english if f'"{key}"' in script or f'"{key}"' in page}
    assert english.keys() - used - made == set()
    asked = set(re.findall(r'\bt\("(\w+)"', script)) | set(re.findall(r'data-text="(\w+)"', page))
    assert asked <= english.keys()
    assert made <= english.keys()
