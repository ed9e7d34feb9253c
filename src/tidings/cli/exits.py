"""From a command to an exit code: every error of tidings is one line and a hint on standard error, never a traceback.

0    done
1    something is wrong: a violation, a group that needs somebody, an answer that is no, an answer that did not come
2    wrong use: an argument, a setting, a program or a store that cannot be had
70   a bug of tidings: with its traceback, so that it can be told
130  Ctrl-C
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tidings.errors import Rejected, Stale, Temporary, TidingsError

DONE, WRONG, USE, BUG, INTERRUPTED = 0, 1, 2, 70, 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The console script."""
    if sys.stdout is None:  # whoever started us closed it
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 -- until the end of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.exit(call(sys.argv[1:] if arguments is None else arguments))


def call(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go()
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _run(arguments: Sequence[str]) -> int:
    from cyclopts import CycloptsError

    from tidings.cli.app import app
    from tidings.cli.show import out

    try:
        said = app(list(arguments), console=out(), exit_on_error=False, print_error=False, result_action="return_value")
        return said or DONE
    except CycloptsError as error:
        return _wrong_use(error)
    except (Rejected, Stale, Temporary) as error:
        return _told(error, WRONG)
    except TidingsError as error:
        return _told(error, USE)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 -- told in full: it is a bug of ours
        return _bug(error)


def _told(error: TidingsError, code: int) -> int:
    from tidings.cli.show import err, text

    err().print(text("tidings: ", "strong") + text(error.message), soft_wrap=True)
    if error.hint:
        err().print(text("  hint: ", "faint") + text(error.hint), soft_wrap=True)
    return code


def _wrong_use(error: Exception) -> int:
    from tidings.cli.show import err, text

    words = " ".join(str(error).split())
    err().print(text("tidings: ", "strong") + text(words), soft_wrap=True)
    chain = " ".join(getattr(error, "command_chain", None) or ())
    err().print(text("  hint: ", "faint") + text(f"tidings {f'{chain} ' if chain else ''}--help"), soft_wrap=True)
    return USE


def _bug(error: Exception) -> int:
    import traceback

    from tidings.cli.texts import safe_lines

    print(safe_lines("".join(traceback.format_exception(error))), file=sys.stderr)
    print("tidings: this is a bug of tidings; please report it with the lines above", file=sys.stderr)
    return BUG


def _let_go() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, or Python would complain while it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # it has no descriptor
        pass
    finally:
        os.close(nowhere)
