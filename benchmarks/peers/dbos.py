"""DBOS on SQLite: durable workflows of three steps, from 8 threads."""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.harness import LACKING, steady, tell

try:
    from dbos import DBOS
except ImportError:
    sys.exit(LACKING)

THREADS = 8


@DBOS.step()
def reserve(order: int) -> int:
    return order


@DBOS.step()
def charge(order: int) -> int:
    return order


@DBOS.step()
def ship(order: int) -> int:
    return order


@DBOS.workflow()
def checkout(order: int) -> int:
    reserve(order)
    charge(order)
    ship(order)
    return order


def sagas(n: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(checkout, range(n))) == list(range(n))
    return n / (time.perf_counter() - began)


if __name__ == "__main__":
    steady()
    _, n, folder = sys.argv[1:]
    url = f"sqlite:///{folder}/dbos.sqlite"
    DBOS(config={"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"})
    DBOS.launch()
    logging.disable(logging.CRITICAL)
    sagas(max(THREADS, int(n) // 10))
    figure = sagas(int(n))
    DBOS.destroy()
    tell("dbos", figure)
