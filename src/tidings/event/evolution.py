"""How old events are read by new code: each version that was ever written has an upcast to the next one.

    version 1 --upcasts[1]--> version 2 --upcasts[2]--> version 3, the class as it stands

An upcast gets the body as JSON gave it (a dict of plain values) and returns the body of the next version. Bytes in the
log never change. The chain is checked for gaps when the class is made, because an event that nobody can read is found
years later, in the middle of a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tidings.errors import DefinitionError, Poison

Json: TypeAlias = dict[str, Any]
Upcasts: TypeAlias = Mapping[int, Callable[[Json], Json]]


def check_upcasts(name: str, version: int, upcasts: Upcasts) -> None:
    """Raises DefinitionError where the chain from version 1 to this one has a gap, or says too much."""
    if version < 1:
        raise DefinitionError(f"{name} is version {version}", hint="versions count from 1")
    wanted = set(range(1, version))
    if lacking := sorted(wanted - set(upcasts)):
        first = lacking[0]
        raise DefinitionError(
            f"{name} is version {version} but cannot read version {first}",
            hint=f"upcasts={{{first}: function}} makes a body of version {first + 1} from it",
        )
    if over := sorted(set(upcasts) - wanted):
        raise DefinitionError(
            f"{name} is version {version} and has an upcast from version {over[-1]}",
            hint=f"raise version= to {over[-1] + 1}, or take the upcast away",
        )
    for start, function in upcasts.items():
        if not callable(function):
            raise DefinitionError(f"the upcast of {name} from version {start} cannot be called", hint="a function")


def upcast(name: str, version: int, target: int, body: Any, upcasts: Upcasts) -> Json:
    """The body as version `target` would have written it. Raises Poison where an upcast fails."""
    for step in range(version, target):
        if not isinstance(body, dict):
            raise Poison(f"{name} version {step} is no JSON object, but {type(body).__name__}")
        try:
            body = upcasts[step](body)
        except Exception as error:
            raise Poison(
                f"the upcast of {name} from version {step} raised {type(error).__name__}: {error}",
                hint="mend the function, then redrive the event: its bytes are kept as they came",
            ) from error
    if not isinstance(body, dict):
        raise Poison(f"the upcast of {name} to version {target} returned {type(body).__name__}", hint="return a dict")
    return body
