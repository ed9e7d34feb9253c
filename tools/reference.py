"""Writes docs/reference from the code: `python tools/reference.py`, or `--check` to say whether it is stale."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import msgspec

import tidings
import tidings.testing
from tidings import errors, signals
from tidings.errors import TidingsError
from tidings.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- written by tools/reference.py from the code: change it there -->\n\n"


def settings() -> str:
    lines = [
        "# Settings\n",
        "Argument > environment (`TIDINGS_FETCH=200`) > `tidings.toml` (`fetch = 200`) > default.",
        "`TIDINGS_CONFIG` names another file. An unknown name is an error, with the nearest known one.\n",
        _body(Settings),
        "\n| setting | type | default |\n|---|---|---|",
    ]
    for field in msgspec.structs.fields(Settings):
        kind = str(Settings.__annotations__[field.name]).replace("|", "or")
        lines.append(f"| `{field.name}` | {kind} | `{field.default!r}` |")
    lines.append("\nFor proofs and tests, read where they are used: `TIDINGS_CRASH=point:n`, `TIDINGS_HISTORY=folder`.")
    return "\n".join(lines)


def error_page() -> str:
    lines = ["# Errors\n", _doc(errors), ""]
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, TidingsError):
            lines.append(f"- **{name}**: {' '.join(_doc(cls).split())}")
    return "\n".join(lines)


def signal_page() -> str:
    lines = ["# Signals\n", _doc(signals), "\n| point | where a process is then |\n|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in signals.POINTS.items()]
    return "\n".join(lines)


def api() -> str:
    lines = ["# The front door\n", "Everything that `import tidings` gives.\n"]
    lines += [_member(tidings, name) for name in tidings.__all__]
    lines += ["# Testing\n", _doc(tidings.testing), ""]
    lines += [_member(tidings.testing, name) for name in tidings.testing.__all__]
    return "\n".join(lines)


def cli() -> str:
    """Every command's own help, as a user sees it."""
    lines = ["# The command line\n", "```text", _help(), "```\n"]
    commands = re.findall(r"^│ (?:\* )?([a-z]+) ", _help(), flags=re.MULTILINE)
    for command in commands:
        lines += [f"## tidings {command}\n", "```text", _help(command), "```\n"]
    return "\n".join(lines)


def _help(*command: str) -> str:
    env = {"COLUMNS": "110", "PATH": "", "NO_COLOR": "1", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT / "src")}
    call = [sys.executable, "-m", "tidings", *command, "--help"]
    done = subprocess.run(call, capture_output=True, text=True, env=env, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def _member(module: object, name: str) -> str:
    value = getattr(module, name)
    if not isinstance(value, (type, FunctionType)):
        return f"## {name}\n\n`{value!r}`\n"
    lines = [f"## {name}\n", f"```text\n{name}{_signature(value)}\n```\n", _doc(value), ""]
    for word, method in vars(value).items() if isinstance(value, type) else ():
        function = inspect.unwrap(method.__func__ if isinstance(method, (classmethod, staticmethod)) else method)
        if word.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        lines += [f"- `{word}{_signature(function)}`: {' '.join(_doc(function).split())}"]
    return "\n".join([*lines, ""])


def _signature(value: object) -> str:
    try:
        text = str(inspect.signature(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    return re.sub(r"\b(?:tidings\.[a-z_.]+\.|datetime\.|collections\.abc\.|typing\.)", "", text).replace("'", "")


def _doc(value: object) -> str:
    own = inspect.getdoc(value) or ""
    return "" if dataclasses.is_dataclass(value) and own.startswith(f"{getattr(value, '__name__', '')}(") else own


def _body(value: object) -> str:
    return "\n\n".join(_doc(value).split("\n\n")[1:]) or _doc(value)


PAGES = {"settings": settings, "errors": error_page, "signals": signal_page, "api": api, "cli": cli}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, page in PAGES.items():
        path, text = FOLDER / f"{name}.md", NOTE + page().rstrip() + "\n"
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, "utf-8")
    if "--check" in sys.argv and stale:
        print(f"stale: {', '.join(stale)}; run `make docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
