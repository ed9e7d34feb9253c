"""What an operator can ask of a store or a program, and do to it. The command line and the console look in only here.

    asking   groups, members, tallies · topics, tail · parked, held · streams · sagas · journey · verify · doctor
    doing    redrive, pause, resume, reset, remove, publish

Answers are structs of plain values, so that they are tables, JSON and tests alike. What needs only the store takes an
`Engine`; what needs the program (its types, folds, tables) takes a `Runtime`.
"""

from __future__ import annotations

from tidings.domain.runtime import Runtime
from tidings.engine.port import Engine
from tidings.engine.unit import Partition
from tidings.ops.control import Deed, Moved, Reset, deeds, pause, remove, reset, resume
from tidings.ops.doctor import Diagnosis, Finding, doctor, version
from tidings.ops.entries import Entry, StreamEntry
from tidings.ops.groups import GroupState, MemberState, PartitionState, groups, tallies
from tidings.ops.journey import Fate, Journey, Pending, Step, journey
from tidings.ops.opening import look, store_of
from tidings.ops.parked import HeldEvent, ParkedKey, Redriven, held, parked, redrive
from tidings.ops.places import Place, offsets, read_place
from tidings.ops.program import hears, load, look_through
from tidings.ops.publish import Published, Publisher, publisher
from tidings.ops.sagas import SagaState, sagas
from tidings.ops.streams import StreamHistory, StreamKey, spaces, stream, streams
from tidings.ops.topics import TopicState, check_topics, find, last, tail, topics
from tidings.ops.verify import Check, Verdict, verify
from tidings.ops.words import plural, size, span

__all__ = [
    "Check",
    "Deed",
    "Diagnosis",
    "Engine",
    "Entry",
    "Fate",
    "Finding",
    "GroupState",
    "HeldEvent",
    "Journey",
    "MemberState",
    "Moved",
    "ParkedKey",
    "Partition",
    "PartitionState",
    "Pending",
    "Place",
    "Published",
    "Publisher",
    "Redriven",
    "Reset",
    "Runtime",
    "SagaState",
    "Step",
    "StreamEntry",
    "StreamHistory",
    "StreamKey",
    "TopicState",
    "Verdict",
    "check_topics",
    "deeds",
    "doctor",
    "find",
    "groups",
    "hears",
    "held",
    "journey",
    "last",
    "load",
    "look",
    "look_through",
    "offsets",
    "parked",
    "pause",
    "plural",
    "publisher",
    "read_place",
    "redrive",
    "remove",
    "reset",
    "resume",
    "sagas",
    "size",
    "spaces",
    "span",
    "store_of",
    "stream",
    "streams",
    "tail",
    "tallies",
    "topics",
    "verify",
    "version",
]
