"""From the outbox to the log, where they are two.

    take   intents are written under the lane's epoch, or found again as the relay before left them
    send   to the log, in order, with their marks
    sent   the log's answers are kept: acknowledged rows go, refused ones are put aside, unknown ones stay intents

A crash after `send` sends the same events under the same marks again: the log then has them twice, and consumers pass
over the second by its mark.
"""

from __future__ import annotations

from tidings import signals
from tidings.engine.port import Log, Outbox
from tidings.engine.unit import Failed, Fenced


async def relay(outbox: Outbox, log: Log, lane: int, epoch: int, limit: int = 500) -> bool:
    """One turn, the same for every engine: waits for something to send. False: another relay has the lane now."""
    sendings = await outbox.take(lane, epoch, limit)
    if isinstance(sendings, Fenced):
        return False
    signals.reached("relay.taken")
    answers = await log.send([sending.event for sending in sendings], [sending.mark for sending in sendings])
    signals.reached("relay.sent")
    pairs = list(zip(sendings, answers, strict=True))
    done = {sending.outbox: answer for sending, answer in pairs if isinstance(answer, int)}
    refused = {sending.outbox: answer.error for sending, answer in pairs if isinstance(answer, Failed)}
    return await outbox.sent(lane, epoch, done, refused)
