"""Signals: the first asks for a drain, the second cuts."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

log = logging.getLogger("tidings.cli")
CODES = {signal.SIGTERM: 0, signal.SIGINT: 130}  # of a drain that was asked for by this


class Stopping:
    """Made on a running loop. `asked` is set by the first SIGTERM or SIGINT; `cut` gets the exit code of the second."""

    def __init__(self, cut: Callable[[int], None], patience: float) -> None:
        self.asked = asyncio.Event()
        self.code = 0
        self._cut, self._patience = cut, patience
        loop = asyncio.get_running_loop()
        for each in CODES:
            loop.add_signal_handler(each, self._heard, each)

    def ask(self, code: int = 0) -> None:
        if not self.asked.is_set():
            self.code = code
            self.asked.set()

    def _heard(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            log.warning("cut: what was not finished is done again by the next owner")
            self._cut(128 + number)
            return
        log.info("draining: what is in hand is finished, at most %g s; the same signal again cuts", self._patience)
        self.ask(CODES[number])


def leave(code: int) -> NoReturn:
    """End now, without waiting for threads in which a handler hangs."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more
            pass
    os._exit(code)


def hanging() -> bool:
    """Whether a thread would keep the process from ending."""
    return any(t is not threading.current_thread() and not t.daemon for t in threading.enumerate())
