"""What an operator can ask of a store or a program, and do to it. The command line and the console look in only here.

    asking   groups, members, tallies · topics, tail · parked, held · streams · sagas · journey · verify · doctor
    doing    redrive, pause, resume, reset, remove, publish

Answers are structs of plain values, so that they are tables, JSON and tests alike. What needs only the store takes an
`Engine`; what needs the program (its types, folds, tables) takes a `Runtime`.
"""

from __future__ import annotations

from tidings.ops.control import Moved, Reset, pause, remove, reset, resume
from tidings.ops.doctor import Diagnosis, Finding, doctor
from tidings.ops.entries import Entry, StreamEntry
from tidings.ops.groups import GroupState, MemberState, PartitionState, groups, tallies
from tidings.ops.journey import Fate, Journey, Pending, Step, journey
from tidings.ops.opening import look, store_of
from tidings.ops.parked import HeldEvent, ParkedKey, Redriven, held, parked, redrive
from tidings.ops.places import offsets, read_place
from tidings.ops.program import hears, load, look_through
from tidings.ops.publish import Published, call, publish, read_message
from tidings.ops.sagas import SagaState, sagas
from tidings.ops.streams import StreamHistory, StreamKey, spaces, stream, streams
from tidings.ops.topics import TopicState, find, tail, topics
from tidings.ops.verify import Check, Verdict, verify

__all__ = [
    "Check",
    "Diagnosis",
    "Entry",
    "Fate",
    "Finding",
    "GroupState",
    "HeldEvent",
    "Journey",
    "MemberState",
    "Moved",
    "ParkedKey",
    "PartitionState",
    "Pending",
    "Published",
    "Redriven",
    "Reset",
    "SagaState",
    "Step",
    "StreamEntry",
    "StreamHistory",
    "StreamKey",
    "TopicState",
    "Verdict",
    "call",
    "doctor",
    "find",
    "groups",
    "hears",
    "held",
    "journey",
    "load",
    "look",
    "look_through",
    "offsets",
    "parked",
    "pause",
    "publish",
    "read_message",
    "read_place",
    "redrive",
    "remove",
    "reset",
    "resume",
    "sagas",
    "spaces",
    "store_of",
    "stream",
    "streams",
    "tail",
    "tallies",
    "topics",
    "verify",
]
