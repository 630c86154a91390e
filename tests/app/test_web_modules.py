"""Joining modules: what is joined does what it did, and is there once."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from app.web import WEB, Assets
from app.web_modules import NotUnderstood, imported, join

NODE = shutil.which("node")

FILES = {
    "main.js": """import { one, two as second } from "./lib/a.js";
import * as b from "./lib/b.js";
import words from "./words.js";
console.log(JSON.stringify([one, second(), b.count(), b.Thing.name, words.hello, b.where]));
const later = import("./late.js");
globalThis.done = later.then(({ again, words: same, shown }) =>
  console.log(JSON.stringify([again(), same === words, shown])),
);
""",
    "lib/a.js": """import { count } from "./b.js";
export const one = 1;
const two = () => count();
export { two };
""",
    "lib/b.js": """let counted = 0;
export function count() {
  counted += 1;
  return counted;
}
export class Thing {}
export async function unused() {}
export const where = new URL("../x.svg", import.meta.url).pathname.split("/").at(-1);
export { default as greeting } from "../words.js";
""",
    "words.js": """export default {
  "hello": "Hello",
};
""",
    "late.js": """import { count as again, greeting } from "./lib/b.js";
import words from "./words.js";
import { own } from "./own.js";
export const shown = own + greeting.hello;
export { again, words };
""",
    "own.js": """export const own = "own ";
""",
}


def test_order_is_that_of_need() -> None:
    """Each module comes after those that it imports; dynamic imports are left out."""
    assert imported("main.js", FILES) == ["words.js", "lib/b.js", "lib/a.js", "main.js"]


def test_others_are_left_as_they_are() -> None:
    """A module that has nothing to do with joined ones is served as it is written."""
    joined = join("main.js", FILES)
    assert joined["own.js"] == FILES["own.js"]
    assert joined["late.js"] != FILES["late.js"]
    assert set(joined) == set(FILES)


@pytest.mark.node
@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("entry", ["main.js", "by_address.mjs"])
def test_joined_modules_do_what_they_did(tmp_path: Path, entry: str) -> None:
    """Both ways of importing, renamed, as a whole and by default; each module is evaluated once."""
    outputs = []
    for name, files in (("written", FILES), ("joined", join("main.js", FILES))):
        folder = tmp_path / name
        for path, source in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(source, encoding="utf-8")
        (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
        # As a test in the page does it: by the module's own address.
        (folder / "by_address.mjs").write_text(
            'await import("./main.js"); await globalThis.done;'
            'const { count, greeting } = await import("./lib/b.js");'
            "console.log(JSON.stringify([count(), greeting]));",
            encoding="utf-8",
        )
        run = subprocess.run(
            [str(NODE), str(folder / entry)], capture_output=True, text=True, check=True, timeout=30
        )
        outputs.append(sorted(run.stdout.splitlines()))
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0][0])[:2] == [1, 1]


@pytest.mark.node
@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_client_is_still_javascript(tmp_path: Path) -> None:
    """Every module, as it is served, can be read."""
    for name, asset in Assets(WEB).files.items():
        if name.endswith(".js"):
            path = tmp_path / name.replace("/", "_").replace(".js", ".mjs")
            path.write_bytes(asset.body)
    for path in sorted(tmp_path.glob("*.mjs")):
        subprocess.run([str(NODE), "--check", str(path)], check=True, timeout=30)


@pytest.mark.parametrize(
    "source",
    [
        'import "./other.js";\n',
        'import a, { b } from "./other.js";\n',
        "import { a } from './other.js';\n",
        "export let changing = 1;\n",
        "export var old = 1;\n",
        'export * from "./other.js";\n',
        "export const { a, b } = {};\n",
        'import { a } from "https://elsewhere.example/a.js";\n',
        'import { a } from "./missing.js";\n',
        'import { a } from "./main.js";\n',
    ],
)
def test_other_forms_are_refused(source: str) -> None:
    """What would be joined wrongly is an error, not a surprise in the page."""
    with pytest.raises(NotUnderstood):
        join("main.js", {"main.js": source, "other.js": "export const a = 1;\n"})
