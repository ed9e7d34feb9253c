"""The program behind a store: found by the name of its System, and asked what a store alone does not know."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tidings.domain.answers import REJECTION
from tidings.domain.program import Program, saga_hears
from tidings.domain.runtime import Runtime
from tidings.engine.port import Engine
from tidings.errors import SettingsError, TidingsError, did_you_mean
from tidings.event.message import info_of
from tidings.ops.journey import Hears
from tidings.system import System

FORM = "module:attribute, as in shop:shop; the module is looked for in this folder too"


def load(target: str) -> System:
    """The System that `module:attribute` names. Raises SettingsError, in one line, for whatever is wrong with it.

    The working directory is put first among the places that Python imports from, as `python -m` does.
    """
    module, found, path = target.partition(":")
    if not found or not module or not path or not module.replace(".", "").replace("_", "").isalnum():
        raise SettingsError(f"{target!r} names no system", hint=FORM)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        made = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise SettingsError(f"there is no module {error.name!r}", hint=FORM) from error
        raise SettingsError(f"{module} cannot be imported: {_words(error)}", hint="install what it needs") from error
    except TidingsError as error:
        raise SettingsError(f"{module} cannot be imported: {error.message}", hint=error.hint) from error
    except (Exception, SystemExit) as error:
        place = _place(error)
        raise SettingsError(
            f"{module} cannot be imported: {_words(error)}", hint=f"look at {place}" if place else FORM
        ) from error
    return _attribute(made, module, path)


def _attribute(module: object, name: str, path: str) -> System:
    found: object = module
    for word in path.split("."):
        if not hasattr(found, word):
            systems = [n for n, value in vars(module).items() if isinstance(value, System)]
            hint = did_you_mean(word, systems) if systems else f"{name} has no System in it"
            raise SettingsError(f"{name} has no {path!r}", hint=hint)
        found = getattr(found, word)
    if not isinstance(found, System):
        what = f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise SettingsError(f"{name}:{path} is no System, but {what}", hint='shop = System("shop", [ordering, ...])')
    return found


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _place(error: BaseException) -> str:
    """Where it was raised, in the user's own file."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and "importlib" not in file and file != __file__:
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def hears(program: Program) -> Hears:
    """Of each group, the names of messages that it does something with."""
    found = {}
    for group in program.groups:
        names = {info_of(one).name for one in group.handlers}
        for saga in group.sagas:
            names |= {info_of(one).name for event in saga_hears(saga) for one in program.family(event)}
        found[group.name] = frozenset(names | ({REJECTION} if group.sagas else set()))
    return found


@asynccontextmanager
async def look_through(program: Program, engine: Engine) -> AsyncIterator[Runtime]:
    """The program on an engine that is open already; nothing is declared, nothing runs."""
    from tidings.clock import SystemClock

    runtime = Runtime(program, engine, SystemClock())
    try:
        yield runtime
    finally:
        runtime.close()
