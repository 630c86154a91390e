"""Joining ES modules, so that a page begins with one request for them and not with thirty.

Modules are written as files and served as files; those that the page needs at once come in the file
of its entry, each in a function of its own. Other modules that import them get the same ones: each
module is evaluated once. The part of the syntax that the client keeps to is understood (imports and
exports that begin a line); anything else is an error when the server starts.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

_IMPORT = re.compile(
    r"^import (?:(?P<names>\{[^}]*\})|\* as (?P<all>\w+)|(?P<default>\w+))"
    r' from "(?P<from>[^"]+)";\n?',
    re.MULTILINE,
)
_REEXPORT = re.compile(r'^export (?P<names>\{[^}]*\}) from "(?P<from>[^"]+)";\n?', re.MULTILINE)
_LIST = re.compile(r"^export (?P<names>\{[^}]*\});\n?", re.MULTILINE)
_DECLARED = re.compile(
    r"^export (?P<what>(?:async )?function\*?|class|const) (?P<name>\w+)", re.MULTILINE
)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFT = re.compile(r"^(?:import\b(?!\()|export\b).*", re.MULTILINE)
_META = "import.meta.url"


class NotUnderstood(ValueError):
    """A module has an import or export that is not of the client's form, or there is a cycle."""


def imported(entry: str, files: Mapping[str, str]) -> list[str]:
    """Return the modules that `entry` imports statically, through others too, it itself last.

    Each comes after all that it imports itself.

    Raises:
        NotUnderstood: modules import each other, or one that is not there.
    """
    order: list[str] = []
    on_the_way: set[str] = set()

    def visit(name: str) -> None:
        if name in order:
            return
        if name in on_the_way or name not in files:
            raise NotUnderstood(f"{name} imports itself through others, or is not there")
        on_the_way.add(name)
        for target in _targets(name, files[name]):
            visit(target)
        order.append(name)

    visit(entry)
    return order


def join(entry: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return `files` with what `entry` imports joined into it.

    The joined modules keep their addresses: there they pass on what is in the entry.

    Raises:
        NotUnderstood: see above.
    """
    joined = imported(entry, files)
    parts = [_wrapped(name, files[name], joined) for name in joined]
    table = ", ".join(f"{json.dumps(name)}: {_variable(name)}" for name in joined)
    parts.append(f"export const modules = {{ {table} }};\n")
    sources = {}
    for name, source in files.items():
        if name == entry:
            sources[name] = "\n".join(parts)
        elif name in joined:
            sources[name] = _passed_on(name, source, entry)
        else:
            sources[name] = _rewired(name, source, joined, entry)
    return sources


def _wrapped(name: str, source: str, joined: Sequence[str]) -> str:
    exports: dict[str, str] = {}

    def bind(match: re.Match[str]) -> str:
        module = _variable(_resolve(name, match["from"]))
        if match["all"]:
            return f"const {match['all']} = {module};\n"
        if match["default"]:
            return f"const {match['default']} = {module}.default;\n"
        return f"const {_pattern(match['names'])} = {module};\n"

    def pass_on(match: re.Match[str]) -> str:
        module = _variable(_resolve(name, match["from"]))
        exports.update({shown: f"{module}.{own}" for own, shown in _pairs(match["names"])})
        return ""

    def listed(match: re.Match[str]) -> str:
        exports.update({shown: own for own, shown in _pairs(match["names"])})
        return ""

    def declared(match: re.Match[str]) -> str:
        exports[match["name"]] = match["name"]
        return f"{match['what']} {match['name']}"

    def default(match: re.Match[str]) -> str:
        exports["default"] = "default_"
        return "const default_ = "

    body = _IMPORT.sub(bind, source)
    body = _REEXPORT.sub(pass_on, body)
    body = _LIST.sub(listed, body)
    body = _DECLARED.sub(declared, body)
    body = _DEFAULT.sub(default, body)
    _check(name, body)
    # A module's own address, as if it had come by itself.
    own = json.dumps(posixpath.relpath(name, posixpath.dirname(joined[-1]) or "."))
    body = body.replace(_META, f"new URL({own}, {_META}).href")
    returned = ", ".join(f"{shown}: {value}" for shown, value in exports.items())
    return f"const {_variable(name)} = (() => {{\n{body}return {{ {returned} }};\n}})();\n"


def _rewired(name: str, source: str, joined: Sequence[str], entry: str) -> str:
    """Let a module that stays by itself take joined modules out of the entry."""
    found = False

    def bind(match: re.Match[str]) -> str:
        nonlocal found
        target = _resolve(name, match["from"])
        if target not in joined:
            return match[0]
        found = True
        module = f"modules[{json.dumps(target)}]"
        if match["all"]:
            return f"const {match['all']} = {module};\n"
        if match["default"]:
            return f"const {match['default']} = {module}.default;\n"
        return f"const {_pattern(match['names'])} = {module};\n"

    body = _IMPORT.sub(bind, source)
    return f"{_import_of_modules(name, entry)}{body}" if found else source


def _passed_on(name: str, source: str, entry: str) -> str:
    names = [*_exported(source)]
    own = [exported for exported in names if exported != "default"]
    lines = [_import_of_modules(name, entry), f"const module = modules[{json.dumps(name)}];\n"]
    if own:
        lines.append(f"export const {{ {', '.join(own)} }} = module;\n")
    if "default" in names:
        lines.append("export default module.default;\n")
    return "".join(lines)


def _exported(source: str) -> Iterator[str]:
    for pattern in (_REEXPORT, _LIST):
        for match in pattern.finditer(source):
            yield from (shown for _, shown in _pairs(match["names"]))
    yield from (match["name"] for match in _DECLARED.finditer(source))
    if _DEFAULT.search(source):
        yield "default"


def _import_of_modules(name: str, entry: str) -> str:
    path = posixpath.relpath(entry, posixpath.dirname(name) or ".")
    return f'import {{ modules }} from "{path if path.startswith(".") else "./" + path}";\n'


def _targets(name: str, source: str) -> Iterator[str]:
    for pattern in (_IMPORT, _REEXPORT):
        for match in pattern.finditer(source):
            yield _resolve(name, match["from"])


def _resolve(name: str, target: str) -> str:
    if not target.startswith("."):
        raise NotUnderstood(f"{name} imports {target}, which is not a relative address")
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def _pairs(names: str) -> Iterator[tuple[str, str]]:
    """Read `{ a, b as c }`: the name there, and the one here."""
    for part in names.strip("{} \n").split(","):
        if part.strip():
            there, _, here = part.strip().partition(" as ")
            yield there.strip(), (here or there).strip()


def _pattern(names: str) -> str:
    inner = (there if there == here else f"{there}: {here}" for there, here in _pairs(names))
    return f"{{ {', '.join(inner)} }}"


def _variable(name: str) -> str:
    return "_" + re.sub(r"\W", "_", name)


def _check(name: str, body: str) -> None:
    left = _LEFT.search(body)
    if left:
        raise NotUnderstood(f"{name}: {left[0]!r} is not of a form that is understood")
