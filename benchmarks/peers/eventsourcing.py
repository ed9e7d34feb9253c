"""The eventsourcing library on SQLite: keep batches, keep single events from threads, load a long aggregate."""

from __future__ import annotations

import sys
import threading
import time
from uuid import UUID

from benchmarks.harness import LACKING, steady, tell

try:
    from eventsourcing.application import Application
    from eventsourcing.domain import Aggregate, event
except ImportError:
    sys.exit(LACKING)

BATCH, THREADS, ACCOUNTS = 1000, 8, 3


class Account(Aggregate):
    @event("Opened")
    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.balance = 0

    @event("Deposited")
    def deposit(self, amount: int, reference: str) -> None:
        self.balance += amount


class Bank(Application[UUID]):
    pass


def opened(folder: str) -> Bank:
    return Bank({"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": f"{folder}/peer.db"})


def fill(bank: Bank, account: Account, n: int) -> None:
    for first in range(0, n, BATCH):
        for number in range(first, min(n, first + BATCH)):
            account.deposit(amount=1, reference=f"ref-{number:06d}")
        bank.save(account)


def append(bank: Bank, n: int) -> float:
    account = Account(owner="ann")
    bank.save(account)
    began = time.perf_counter()
    fill(bank, account, n)
    return n / (time.perf_counter() - began)


def append_threads(bank: Bank, n: int) -> float:
    """Each thread saves single events of its own aggregate."""
    accounts = [Account(owner="ann") for _ in range(THREADS)]
    bank.save(*accounts)

    def work(account: Account) -> None:
        for number in range(n // THREADS):
            account.deposit(amount=1, reference=f"ref-{number:06d}")
            bank.save(account)

    threads = [threading.Thread(target=work, args=(account,)) for account in accounts]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return n / (time.perf_counter() - began)


def load(bank: Bank, n: int) -> float:
    accounts = [Account(owner="ann") for _ in range(ACCOUNTS)]
    for account in accounts:
        fill(bank, account, n - 1)
    began = time.perf_counter()
    for account in accounts:
        again: Account = bank.repository.get(account.id)
        assert again.balance == n - 1
    return n * ACCOUNTS / (time.perf_counter() - began)


if __name__ == "__main__":
    steady()
    what, n, folder = {"append": append, "append_threads": append_threads, "load": load}[sys.argv[1]], *sys.argv[2:]
    with opened(folder) as bank:
        what(bank, max(int(n) // 10, THREADS))
        tell("eventsourcing", what(bank, int(n)))
