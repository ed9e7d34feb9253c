"""Asking before something is done that cannot be taken back: on a terminal a question, elsewhere only `--yes`."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from tidings.cli.show import err, text
from tidings.errors import SettingsError

Yes: TypeAlias = Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask.")]


def confirm(what: str, *, yes: bool) -> bool:
    """Whether to go on. Raises SettingsError where nobody can be asked."""
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise SettingsError(f"{what}: nobody can be asked here", hint="--yes says yes beforehand")
    err().print(text(f"{what}. Go on? [y/N] "), end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
