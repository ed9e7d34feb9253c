"""Two groups hear every order. One is down for a while, comes back, and has missed nothing."""

import asyncio

from tidings import Event, Key, Row, Service, System, Topic


class OrderPlaced(Event, topic=Topic("orders")):
    customer: Key[str]
    total: int


class Spent(Row):
    customer: Key[str]
    total: int = 0


billing, mail = Service("billing"), Service("mail")


@billing.on
def bill(order: OrderPlaced, spent: Spent) -> Spent:
    spent.total += order.total
    return spent


@mail.on
def thank(order: OrderPlaced) -> None:
    print(f"thank you, {order.customer}, for {order.total}")


hello = System("hello", [billing, mail])


async def main() -> None:
    async with hello.running(only=[billing]) as client:  # mail is down
        await client.publish(OrderPlaced(customer="ada", total=30), OrderPlaced(customer="ada", total=12))
        await client.wait_idle()
        print(await client.get(Spent, "ada"))
    async with hello.running() as client:  # mail is back, and goes on where it was
        await client.wait_idle()


if __name__ == "__main__":
    asyncio.run(main())
