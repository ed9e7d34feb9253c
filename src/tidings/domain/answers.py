"""How the outcome of a command gets back to whoever waits for it: to a caller as a memo, to a saga as an event.

A caller's command carries `reply`; the unit that handles it keeps the outcome under the command's id, for as long as
the store keeps such marks, so the same id asked again gives the first outcome. A refusal of a saga's command is told as
`tidings.Rejection` to a topic of the saga's service, because a refusal is no event of any service.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tidings.engine.unit import Event, Once
from tidings.event.envelope import INTERNAL, Head, pack
from tidings.event.identity import new_id
from tidings.event.partition import partition_of

CALLS = "tidings.calls"
REJECTION = "tidings.Rejection"


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """`done` with the outcome as it was written (name "" where there is none), or `rejected` with the reason."""

    what: Literal["done", "rejected"]
    name: str = ""
    version: int = 0
    data: bytes = b""
    text: str = ""


_encode = msgspec.msgpack.Encoder().encode
decode_answer = msgspec.msgpack.Decoder(Answer).decode


def memo(head: Head, answer: Answer, tells: list[int]) -> Once:
    return Once(CALLS, head.id, _encode(answer), tells)


class Rejection(msgspec.Struct, frozen=True):
    """Told to a saga: its command was refused."""

    saga: str
    reason: str


def rejection(head: Head, reason: str, source: str, now: int) -> Event:
    """The event that takes a refusal to the saga whose command this was."""
    name, _, rest = head.saga.partition("|")
    key = rest.rsplit("|", 3)[0].encode()
    made = new_id()
    back = Head(made, REJECTION, 1, now, source, head.correlation, head.id, INTERNAL, "", False, head.saga)
    return Event(
        answers_topic(name.rpartition(".")[0]),
        partition_of(key, ANSWER_PARTITIONS),
        key,
        made,
        pack(back),
        msgspec.json.encode(Rejection(head.saga, reason)),
    )


ANSWER_PARTITIONS = 8


def answers_topic(service: str) -> str:
    """The topic in which a service's sagas hear refusals."""
    return f"{service}.answers"
