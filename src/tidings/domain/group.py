"""From the handlers of a program to subscriptions: for each group, which name of a message is run by what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidings.clock import MICRO, from_micro, to_micro
from tidings.delivery.decision import Decision
from tidings.delivery.outgoing import Outgoing
from tidings.delivery.policy import Retry, Tick
from tidings.delivery.session import Look
from tidings.delivery.subscription import Arrival, Mode, Route, Runner, Subscription
from tidings.domain.answers import REJECTION, Rejection, answers_topic
from tidings.domain.effects import LATER, Effects
from tidings.domain.program import Group
from tidings.domain.runner import HandlerRunner
from tidings.domain.runtime import Runtime
from tidings.domain.saga import Saga
from tidings.domain.saga_run import TIMEOUT, SagaRunner, Timeout
from tidings.domain.several import Several
from tidings.domain.signature import Handler
from tidings.engine.unit import Event as Told
from tidings.engine.unit import Partition, Timer
from tidings.errors import Poison
from tidings.event.codec import Codec
from tidings.event.envelope import INTERNAL, Head, pack, unpack
from tidings.event.identity import new_id
from tidings.event.message import info_of
from tidings.event.outcome import outcomes_of

TICK = "tidings.Tick"
_load = msgspec.msgpack.Decoder(tuple[str | None, int, bytes | None, bytes, bytes, bytes | None]).decode


class TypeRoute:
    """A type as a group hears it."""

    def __init__(self, codec: Codec[Any], runner: Runner) -> None:
        self.version = codec.version
        self.runner = runner
        self.decode = codec.decode


class InternalRoute:
    """A message of tidings itself."""

    version = 1

    def __init__(self, runner: Runner, decode: Any) -> None:
        self.runner = runner
        self._decode = decode

    def decode(self, version: int, data: bytes | None) -> Any:
        try:
            return self._decode(data or b"")
        except msgspec.DecodeError as error:
            raise Poison(f"an internal message cannot be read: {error}") from error


class LaterRunner:
    """A message whose time has come: it is told as it was written, with the time of now."""

    mode: Mode = "inline"
    keeps = False

    def __init__(self, retry: Retry, now: Any) -> None:
        self.retry, self.now = retry, now

    def needs(self, message: Any, head: Head) -> dict[Any, Any]:
        return {}

    def run(self, arrival: Arrival, look: Look) -> Decision:
        topic, partition, key, id, packed, data = arrival.message
        head = msgspec.structs.replace(unpack(packed), time=self.now())
        return Decision(events=[Told(topic, partition, key, id, pack(head), data)])


class TickRunner:
    """Runs a scheduled handler and sets the next tick: late rather than never, and never two for one."""

    keeps = True

    def __init__(self, inner: HandlerRunner, name: str, interval: int, now: Any) -> None:
        self.inner, self.name, self.interval, self.now = inner, name, interval, now
        self.mode: Mode = inner.mode if inner.mode == "inline" else "awaited"
        self.retry = inner.retry

    def needs(self, message: Any, head: Head) -> Any:
        return self.inner.needs(message, head)

    def run(self, arrival: Arrival, look: Look) -> Any:
        assert arrival.timer is not None
        arrival.message = Tick(due=from_micro(arrival.timer.due))
        if self.mode == "inline":
            return self._again(arrival, self.inner.run(arrival, look))
        return self._awaited(arrival, look)

    async def _awaited(self, arrival: Arrival, look: Look) -> Decision:
        decision = self.inner.run(arrival, look)
        return self._again(arrival, decision if isinstance(decision, Decision) else await decision)

    def _again(self, arrival: Arrival, decision: Any) -> Decision:
        assert arrival.timer is not None
        missed = max(0, (self.now() - arrival.timer.due) // self.interval)
        due = arrival.timer.due + (missed + 1) * self.interval
        decision.timers.append(tick_timer(arrival.timer.partition, self.name, due))
        made: Decision = decision
        return made


def tick_timer(partition: Partition, name: str, due: int) -> Timer:
    """The timer of a scheduled handler; `due` is when it fires, in microseconds (from the start of a new group: 0)."""
    id = new_id()
    head = Head(id, f"{TICK}/{name}", 1, due, "", id, b"", INTERNAL)
    return Timer(partition, f"tick/{name}", due, name.encode(), pack(head), None)


def subscriptions(
    runtime: Runtime, resources: Mapping[Any, object], only: Sequence[str] | None = None
) -> list[Subscription]:
    """One for each group, or for the groups of the named services. `resources`: open, by the type that is asked for."""
    groups = Groups(runtime, resources)
    wanted = [g for g in runtime.program.groups if only is None or g.service.name in only]
    return [groups.subscription(g) for g in wanted]


class Groups:
    """Makes subscriptions for one process: its resources are open."""

    def __init__(self, runtime: Runtime, resources: Mapping[Any, object]) -> None:
        self.runtime, self.resources = runtime, resources
        self.now = runtime.clock.now

    def subscription(self, group: Group) -> Subscription:
        retry = group.retry
        outgoing = Outgoing(f"{self.runtime.program.name}/{group.service.name}", self.runtime.ways)
        effects = Effects(outgoing, self.runtime.kinds, self.runtime.addresses, self.now)
        internal: dict[str, Route] = {LATER: InternalRoute(LaterRunner(retry, self.now), _load)}
        made: dict[str, HandlerRunner] = {}
        runners: defaultdict[str, list[Any]] = defaultdict(list)
        for message, handlers in group.handlers.items():
            for handler in handlers:
                if handler.name not in made:
                    made[handler.name] = self._runner(handler, group, effects, retry)
                runners[info_of(message).name].append(made[handler.name])
        ticks = [self._tick(h, self._runner(h, group, effects, retry), group, internal) for h in group.ticks]
        topics = list(group.topics)
        if group.sagas:
            topics.append(answers_topic(group.service.name))
            self._sagas(group, outgoing, retry, runners, internal)
        routes: dict[str, Route] = {
            name: TypeRoute(self.runtime.codecs[name], mine[0] if len(mine) == 1 else Several(mine, retry))
            for name, mine in runners.items()
        }
        return Subscription(
            group=group.name,
            topics=topics,
            routes=routes,
            guarantee=group.guarantee,
            start=group.start if isinstance(group.start, str) else to_micro(group.start),
            ignores=group.ignores | {REJECTION},
            closed=group.closed,
            internal=internal,
            ticks=ticks,
        )

    def _runner(self, handler: Handler, group: Group, effects: Effects, retry: Retry) -> HandlerRunner:
        a = self.runtime
        return HandlerRunner(
            handler, group.name, a.kinds, self.resources, effects, a.engine.store, a.pool, retry, self.now
        )

    def _tick(self, handler: Handler, runner: HandlerRunner, group: Group, internal: dict[str, Route]) -> Timer:
        assert handler.every is not None
        interval = int(handler.every.total_seconds() * MICRO)
        internal[f"{TICK}/{handler.name}"] = TickRoute(TickRunner(runner, handler.name, interval, self.now))
        return tick_timer(Partition(group.topics[0], 0), handler.name, interval)

    def _sagas(
        self,
        group: Group,
        outgoing: Outgoing,
        retry: Retry,
        runners: defaultdict[str, list[Any]],
        internal: dict[str, Route],
    ) -> None:
        made = [self._saga(saga, group, outgoing, retry) for saga in group.sagas]
        for runner in made:
            for name in {*runner.starts, *runner.outcomes}:
                runners[name].append(runner)
        by_name = {runner.name: runner for runner in made}
        internal[TIMEOUT] = InternalRoute(SagaSwitch(by_name, retry), msgspec.json.Decoder(Timeout).decode)
        internal[REJECTION] = InternalRoute(SagaSwitch(by_name, retry), msgspec.json.Decoder(Rejection).decode)

    def _saga(self, saga: type[Saga[Any]], group: Group, outgoing: Outgoing, retry: Retry) -> SagaRunner:
        program = self.runtime.program
        outcomes: defaultdict[str, list[tuple[str, bool, bool]]] = defaultdict(list)
        for step in saga.__steps__:
            for command, undo in ((step.command, False), (step.undo_command, True)):
                if command is not None:
                    promised = outcomes_of(command)
                    for event in promised.all:
                        for one in program.family(event):
                            outcomes[info_of(one).name].append((step.name, undo, event in promised.done))
        starts = frozenset(info_of(one).name for event in saga.__starts__ for one in program.family(event))
        return SagaRunner(
            saga,
            f"{group.service.name}.{saga.__name__}",
            starts,
            outcomes,
            self.runtime.codecs,
            outgoing,
            self.runtime.saga_kind,
            retry,
            self.now,
        )


class TickRoute:
    version = 1

    def __init__(self, runner: TickRunner) -> None:
        self.runner: Runner = runner

    def decode(self, version: int, data: bytes | None) -> Tick:
        return Tick(due=from_micro(0))  # its timer knows when it was due: see TickRunner


class SagaSwitch:
    """Finds the saga of a timeout or a refusal; a saga that is no longer in the program is passed over."""

    mode: Mode = "inline"
    keeps = True

    def __init__(self, sagas: Mapping[str, SagaRunner], retry: Retry) -> None:
        self.sagas, self.retry = sagas, retry

    def _find(self, message: Any, head: Head) -> SagaRunner | None:
        name = message.saga.partition("|")[0]
        return self.sagas.get(name)

    def needs(self, message: Any, head: Head) -> Any:
        found = self._find(message, head)
        return found.needs(message, head) if found is not None else {}

    def run(self, arrival: Arrival, look: Look) -> Decision:
        found = self._find(arrival.message, arrival.head)
        return found.run(arrival, look) if found is not None else Decision()
