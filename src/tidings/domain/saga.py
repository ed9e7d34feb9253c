"""Sagas: local transactions in several services, each with its undo. What is written here; others run it.

Steps run in the order written, a step `beside` the one above together with it. When one fails, the steps that were
done are undone, last first, those that ran together together.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, Never, Self, cast, overload

from typing_extensions import TypeVar, get_original_bases

from tidings.domain.returns import read_returns
from tidings.errors import DefinitionError, TidingsError
from tidings.event.hints import bare, hints_of, parts, shown, where
from tidings.event.message import Command, Event, Message, info_of
from tidings.event.outcome import outcomes_of

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound="Saga[Any]")
D = TypeVar("D")
Said = Message | Iterable[Message] | None


class Saga(Generic[E]):
    """Starts on E. Steps run in the order written; when one fails, the done ones are undone, last first.

    `completed` says what follows the last step, `failed` what follows the last undo. A success that comes
    after its saga gave up is undone too.
    """

    start: E
    reason: str  # why it failed, for people
    _outcomes: Mapping[str, Event]  # step to the event that said it was done
    __timeout__: ClassVar[timedelta | None] = None
    __steps__: ClassVar[tuple[Step[Any, Any], ...]] = ()
    __stages__: ClassVar[tuple[tuple[Step[Any, Any], ...], ...]] = ()
    __starts__: ClassVar[tuple[type[Event], ...]] = ()

    def __init__(self, start: E, outcomes: Mapping[str, Event] | None = None, reason: str = "") -> None:
        self.start = start
        self.reason = reason
        self._outcomes = outcomes or {}

    def __init_subclass__(cls, *, timeout: timedelta | None = None) -> None:
        super().__init_subclass__()
        cls.__timeout__ = timeout
        cls.__steps__ = _steps_of(cls)
        if not cls.__steps__:
            raise DefinitionError(f"saga {cls.__name__} has no steps", hint="mark a method with @step")
        _check_limit(f"saga {cls.__name__}", timeout)
        cls.__starts__ = _starts_of(cls)
        for each in cls.__steps__:
            each.read(cls.__name__)
        cls.__stages__ = _stages(cls)
        _check_undos(cls)
        for end in (cls.completed, cls.failed):
            _check_end(cls, end)

    def completed(self) -> Message | Iterable[Message] | None:
        """What follows the last step: as a rule a command."""
        return None

    def failed(self) -> Message | Iterable[Message] | None:
        """What follows the last undo; `self.reason` says why."""
        return None


class StepRun(Generic[D]):
    """What became of a step in one saga."""

    __slots__ = ("_name", "_outcome")

    def __init__(self, name: str, outcome: D | None) -> None:
        self._name = name
        self._outcome = outcome

    @property
    def is_done(self) -> bool:
        return self._outcome is not None

    @property
    def done(self) -> D:
        """The event that said so. Raises TidingsError where the step is not done (yet)."""
        if self._outcome is None:
            raise TidingsError(
                f"step {self._name!r} is not done, so it has no outcome",
                hint="ask for it in a later step, in its own undo, or after `is_done`",
            )
        return self._outcome


class Step(Generic[S, D]):
    """A method that makes the command of this step; its outcomes are those that the command declares.

    A step without an undo is the point of no return: once it is asked, the saga's time limit waits for its answer.
    `undoable=False` says that it may stay where a later step fails, or where it answers too late. `command`,
    `undo_command` are known once the class of the saga is complete.
    """

    def __init__(
        self,
        request: Callable[[S], Command[D, Any] | None],
        beside: Step[Any, Any] | None = None,
        timeout: timedelta | None = None,
        *,
        undoable: bool = True,
    ) -> None:
        self.name: str = cast("Any", request).__name__
        _check_limit(f"step {self.name!r}", timeout)
        self.request, self.beside, self.timeout = request, beside, timeout
        self.undoable = undoable
        self.undoing: Callable[[S], Command[Any, Never]] | None = None
        self.command: type[Command[Any, Any]] = Command
        self.undo_command: type[Command[Any, Any]] | None = None

    @overload
    def __get__(self, saga: None, owner: type[S]) -> Self: ...
    @overload
    def __get__(self, saga: S, owner: type[S]) -> StepRun[D]: ...
    def __get__(self, saga: S | None, owner: type[S]) -> Self | StepRun[D]:
        if saga is None:
            return self
        return StepRun(self.name, cast("D | None", saga._outcomes.get(self.name)))  # noqa: SLF001 -- a saga and its steps are one

    def undo(self, function: Callable[[S], Command[Any, Never]], /) -> Callable[[S], Command[Any, Never]]:
        """Marks the method that makes the undoing command, which must be one that cannot fail."""
        if self.undoing is not None:
            raise DefinitionError(f"{where(function)}: step {self.name!r} has an undo already", hint="one undo a step")
        self.undoing = function
        return function

    def read(self, saga: str) -> None:
        """Fill in the commands. Raises DefinitionError where a method does not say which, or an undo may fail."""
        self.command = _command_of(self.request, saga)
        if self.undoing is not None:
            self.undo_command = _command_of(self.undoing, saga)
            if failing := outcomes_of(self.undo_command).failed:
                raise DefinitionError(
                    f"{where(self.undoing)}: {self.undo_command.__name__} may end in {failing[0].__name__}",
                    hint="an undo cannot fail: Command[Done] alone, tried again until it works",
                )


def _check_limit(of: str, given: Any) -> None:
    if given is not None and (not isinstance(given, timedelta) or given <= timedelta(0)):
        raise DefinitionError(f"{of} cannot have timeout={given!r}", hint="a duration, as in timeout=minutes(15)")


def _command_of(function: Callable[..., Any], saga: str) -> type[Command[Any, Any]]:
    at = where(function)
    if inspect.iscoroutinefunction(function):
        raise DefinitionError(f"{at} is async", hint="a step only makes a command: plain def")
    hints = hints_of(function, at)
    if "return" not in hints:
        raise DefinitionError(f"{at} does not say which command it makes", hint="annotate the return")
    found = [bare(part) for part in parts(bare(hints["return"])) if part is not type(None)]
    if len(found) != 1 or not (isinstance(found[0], type) and issubclass(found[0], Command)) or found[0] is Command:
        raise DefinitionError(
            f"{at} makes {shown(hints['return'])}, which is not one command of its own",
            hint=f"one command class a step of {saga}, or `| None` where the step may be left out",
        )
    return found[0]


def _steps_of(cls: type) -> tuple[Step[Any, Any], ...]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, Step) or name in found}
    return tuple(value for value in found.values() if isinstance(value, Step))


def _starts_of(cls: type[Saga[Any]]) -> tuple[type[Event], ...]:
    for base in get_original_bases(cls):
        found = [bare(part) for arg in getattr(base, "__args__", ()) for part in parts(arg)]
        events = tuple(one for one in found if isinstance(one, type) and issubclass(one, Event))
        if events and len(events) == len(found):
            for event in events:
                _check_start(cls, event)
            return events
    if cls.__starts__:
        return cls.__starts__
    raise DefinitionError(f"saga {cls.__name__} does not say what starts it", hint="Saga[OrderPlaced]")


def _check_start(cls: type, event: type[Event]) -> None:
    info = info_of(event)
    if info.topic is None:
        raise DefinitionError(
            f"saga {cls.__name__} starts on {event.__name__}, which is private", hint="give it a topic="
        )
    if info.key is None:
        raise DefinitionError(
            f"saga {cls.__name__} starts on {event.__name__}, which has no key",
            hint="a saga is found by its start's key",
        )


def _stages(cls: type[Saga[Any]]) -> tuple[tuple[Step[Any, Any], ...], ...]:
    """Steps that run together, stage after stage."""
    stages: list[list[Step[Any, Any]]] = []
    for each in cls.__steps__:
        if each.beside is None:
            stages.append([each])
        elif stages and each.beside in stages[-1]:
            stages[-1].append(each)
        else:
            raise DefinitionError(
                f"{cls.__name__}.{each.name} stands beside a step that is not above it",
                hint="move it directly below the step that it runs beside",
            )
    return tuple(map(tuple, stages))


def _check_undos(cls: type[Saga[Any]]) -> None:
    for number, stage in enumerate(cls.__stages__):
        for each in stage:
            after = [one for later in cls.__stages__[number + 1 :] for one in later]
            others = [*after, *(one for one in stage if one is not each)]
            if each.timeout is not None and each.undoable and each.undoing is None:
                raise DefinitionError(
                    f"{cls.__name__}.{each.name} has a time limit and no undo: a success that comes late would stay",
                    hint=f"write @{each.name}.undo, or @step(undoable=False) if it may stay",
                )
            if others and each.undoable and each.undoing is None:
                raise DefinitionError(
                    f"{cls.__name__}.{each.name} has no undo, but {others[0].name} may fail after it",
                    hint=f"write @{each.name}.undo, or @step(undoable=False) if it may stay",
                )


def _check_end(cls: type, end: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(end):
        raise DefinitionError(f"{where(end)} is async", hint="it only makes messages: plain def")
    if end in {Saga.completed, Saga.failed}:
        return
    for made in said_by(end):
        if issubclass(made, Event) and info_of(made).topic is None:
            raise DefinitionError(
                f"{where(end)} returns {made.__name__}, which is private", hint=f"end {cls.__name__} with a command"
            )


def said_by(end: Callable[..., Any]) -> tuple[type[Message], ...]:
    """The messages that a saga's `completed` or `failed` may return."""
    if end in {Saga.completed, Saga.failed}:
        return ()
    at = where(end)
    hints = hints_of(end, at)
    if "return" not in hints:
        raise DefinitionError(f"{at} does not say what it returns", hint="annotate the return, `-> None` if nothing")
    made = read_returns(at, hints["return"]).emits
    if foreign := [one for one in made if not issubclass(one, Message)]:
        raise DefinitionError(f"{at} returns {foreign[0].__name__}, which is no message", hint="a saga keeps no rows")
    return made


def saga_commands(saga: type[Saga[Any]]) -> tuple[type[Command[Any, Any]], ...]:
    """Every command a saga may send: its steps, their undos, and what its end says."""
    steps = [each.command for each in saga.__steps__]
    undos = [each.undo_command for each in saga.__steps__ if each.undo_command is not None]
    ends = [made for end in (saga.completed, saga.failed) for made in said_by(end) if issubclass(made, Command)]
    return tuple(dict.fromkeys([*steps, *undos, *ends]))


@dataclass(frozen=True, slots=True)
class StepMaker:
    """`@step(...)` with options; its call is generic, so that S and D are found from the method."""

    beside: Step[Any, Any] | None
    timeout: timedelta | None
    undoable: bool

    def __call__(self, request: Callable[[S], Command[D, Any] | None], /) -> Step[S, D]:
        return Step(request, self.beside, self.timeout, undoable=self.undoable)


@overload
def step(request: Callable[[S], Command[D, Any] | None], /) -> Step[S, D]: ...
@overload
def step(
    *,
    beside: Step[Any, Any] | None = None,
    timeout: timedelta | None = None,
    undoable: bool = True,
) -> StepMaker: ...
def step(
    request: Callable[[S], Command[D, Any] | None] | None = None,
    /,
    *,
    beside: Step[Any, Any] | None = None,
    timeout: timedelta | None = None,
    undoable: bool = True,
) -> Step[S, D] | StepMaker:
    """A step waits for every step above it, unless it stands `beside` the one above: then both start together."""
    if request is None:
        return StepMaker(beside, timeout, undoable)
    return Step(request, beside, timeout, undoable=undoable)
