"""The layout has a version, and goes only forward, under an advisory lock, in one transaction.

`schema.sql` has one block a version. A schema without `tidings_meta` is at version 0: empty, or somebody else's that
tidings' tables now join. One that is missing is made. One from a later tidings is refused before anything is written.
"""

from __future__ import annotations

from uuid import uuid4

from tidings.engine.postgres.pool import Connection, run
from tidings.engine.postgres.sql import blocks, quoted
from tidings.errors import Refused

VERSIONS = {int(number): body for number, body in blocks("schema.sql").items()}
LATEST = max(VERSIONS)


async def version(c: Connection) -> int:
    if not (await run(c, "has_meta"))[0][0]:
        return 0
    return int((await run(c, "meta", name="schema"))[0][0])


async def migrate(c: Connection) -> None:
    """Bring the schema to the latest version; nothing is done and nothing locked where it is there already."""
    if await checked(c) == LATEST:
        return
    async with c.transaction():
        await run(c, "migrating")
        await _schema(c)
        for number in range(await checked(c) + 1, LATEST + 1):
            await c.execute(VERSIONS[number].encode())
            if number == 1:
                await run(c, "meta_set", name="identity", value=uuid4().hex)
                await run(c, "meta_set", name="measured", value="0")
            await run(c, "meta_set", name="schema", value=str(number))


async def _schema(c: Connection) -> None:
    """The first one of the search_path is made where none of it is there."""
    there, first = (await run(c, "schema"))[0]
    if there is None:
        await c.execute(f"create schema {quoted(first)}".encode())


async def checked(c: Connection, *, old: bool = True) -> int:
    """The version of the layout, 0 where there is none; Refused where it is later than ours, or earlier without
    `old`."""
    found = await version(c)
    if found > LATEST:
        raise Refused(
            f"the schema was written by a later tidings (its layout is {found}, this one knows up to {LATEST})",
            hint="run the later tidings; there is no way back but a backup from before the upgrade",
        )
    if found < LATEST and not old:
        words = f"has layout {found}" if found else "has no tables of tidings"
        raise Refused(
            f"the schema {words}, this tidings works on layout {LATEST}",
            hint="open it once with a service of this tidings, which brings it up to date",
        )
    return found
