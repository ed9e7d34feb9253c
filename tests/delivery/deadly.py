"""Run as a program: workers are forked again and again, because one event kills whoever handles it.

`python deadly.py FOLDER` prints JSON: how many died, and what became of the events.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from tidings import Event, Key, Row, Service, System, Topic, seconds

MOST = 40  # deaths, after which the program gives up


class Parcel(Event, topic=Topic("parcels", partitions=2)):
    address: Key[str]
    deadly: bool = False


class Delivered(Row):
    address: Key[str]
    count: int = 0


carrier = Service("carrier")


@carrier.on
def deliver(parcel: Parcel, row: Delivered) -> Delivered:
    if parcel.deadly:
        os._exit(9)
    row.count += 1
    return row


system = System("deadly", [carrier])


async def fill(store: str) -> None:
    async with system.connect(store=store) as client:
        for n in range(30):
            await client.publish(Parcel(address=f"a{n % 10}", deadly=n == 11))


async def work(store: str) -> None:
    async with system.running(store=store) as client:
        await client.wait_idle(within=seconds(20))


async def look(store: str) -> dict[str, object]:
    async with system.connect(store=store) as client:
        rows = await client.find(Delivered)
        engine = client._runtime.engine
        held = [(p.held, p.parked) for p in await engine.store.progress("carrier")]
        return {
            "delivered": {r.address: r.count for r in rows},
            "held": sum(h for h, _ in held),
            "parked": sum(p for _, p in held),
        }


def main(folder: str) -> None:
    store = f"sqlite:///{folder}/deadly.db"
    asyncio.run(fill(store))
    deaths = 0
    while deaths < MOST:
        pid = os.fork()
        if not pid:
            asyncio.run(work(store))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            break
        deaths += 1
    print(json.dumps({"deaths": deaths, **asyncio.run(look(store))}))


if __name__ == "__main__":
    main(sys.argv[1])
