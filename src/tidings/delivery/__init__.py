"""Delivery: how an event gets from the log through a handler into a commit, also when everything fails.

member.py        one member of one group: seats, claims, batches, what is due
turn.py          one batch: decide, commit, and what to do with each answer of the store
session.py       the identity map of a turn: event 9 sees what event 7 changed
lanes.py         awaited handlers: in order per key, at once across keys
heldset.py       which keys of a partition are held, and when their heads are due
failure.py       what an exception means: answer, retry, park, pause
subscription.py  what a group hears and who runs it: the floor above fills this in
outgoing.py      a message becomes an event of the log, with its cause
relay.py         from the outbox to the log, where they are two
history.py       an optional record of every delivery, for proofs
"""
