"""The layout of the file has a version, and goes only forward, under the write lock, in one transaction.

`schema.sql` has one block a version. A file without `tidings_meta` is at version 0: a new file, or a database of
somebody else's that tidings' tables now join. A file from a later tidings is refused before anything is written.
"""

from __future__ import annotations

from uuid import uuid4

import apsw

from tidings.engine.sqlite.sql import SQL, blocks, value_of
from tidings.errors import Refused

VERSIONS = {int(number): body for number, body in blocks("schema.sql").items()}
LATEST = max(VERSIONS)
START = {"next": 0, "stamp": 0, "declared": 0, "measured": 0, "boot": "", "anchor": 0}


def version(c: apsw.Connection) -> int:
    if not c.table_exists("main", "tidings_meta"):
        return 0
    return int(value_of(c, SQL["meta"], ("schema",)))


def migrate(c: apsw.Connection, path: str) -> None:
    """Bring the file to the latest version; nothing is done and nothing locked where it is there already."""
    if checked(c, path) == LATEST:
        return
    c.execute(SQL["begin"])
    try:
        for number in range(checked(c, path) + 1, LATEST + 1):
            _step(c, number)
        c.execute(SQL["commit"])
    except BaseException:
        if c.in_transaction:
            c.execute(SQL["rollback"])
        raise


def _step(c: apsw.Connection, number: int) -> None:
    c.execute(VERSIONS[number])
    if number == 1:
        c.executemany(SQL["meta_set"], (START | {"file": uuid4().hex}).items())
    c.execute(SQL["meta_set"], ("schema", number))


def is_latest(c: apsw.Connection, path: str, *, old: bool) -> bool:
    return checked(c, path, old=old) == LATEST


def checked(c: apsw.Connection, path: str, *, old: bool = True) -> int:
    """The version of the file's layout, 0 where it has none; Refused where it is later than ours, or earlier without
    `old`."""
    found = version(c)
    if found > LATEST:
        raise Refused(
            f"{path} was written by a later tidings (its layout is {found}, this one knows up to {LATEST})",
            hint="run the later tidings; there is no way back but a backup from before the upgrade",
        )
    if found < LATEST and not old:
        raise Refused(
            f"{path} has layout {found}, this tidings works on {LATEST}",
            hint="open it once with a service of this tidings, which brings it up to date",
        )
    return found
