"""Delivery: how an event gets from the log through a handler into a commit, also when everything fails.

worker.py        what runs in one process: a member for each group, the relay, the janitor
member.py        one member of one group: its life, batch by batch
ownership.py     what a member owns: seat, claims, its copy of what is held
due.py           held events and timers whose time has come
intake.py        records become arrivals
turn.py          one batch: decide, commit, and what to do with each answer of the store
decision.py      what one handler run came to, as data
decisions.py     all of a turn's, and what must fall with one that is taken back
split.py         a turn with an impossible write, halved until it is found
session.py       the identity map of a turn: event 9 sees what event 7 changed
unit.py          decisions become one unit to commit
lanes.py         awaited handlers: in order per key, at once across keys
lossy.py         at-most-once: progress first
heldset.py       which keys of a partition are held, and when their heads are due
failure.py       what an exception means: answer, retry, park, pause
subscription.py  what a group hears and who runs it: the floor above fills this in
outgoing.py      a message becomes an event of the log, with its cause
relay.py         from the outbox to the log, where they are two
history.py       an optional record of every delivery, for proofs
limits.py policy.py   how much at once; what a group promises
"""
