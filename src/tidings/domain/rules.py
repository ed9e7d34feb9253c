"""What must hold between the services of a program: each rule is one function, each breach one sentence with a hint."""

from __future__ import annotations

from tidings.domain.composition import Composition
from tidings.domain.resource import Resource
from tidings.domain.state import Row, State
from tidings.errors import DefinitionError
from tidings.event.hints import shown
from tidings.event.message import Command, Message, info_of
from tidings.event.outcome import outcomes_of


def check(program: Composition) -> None:
    """Raises DefinitionError for the first rule that is broken."""
    for rule in (owners, spaces, projected, resources, answers, sagas):
        rule(program)


def names(program: Composition) -> None:
    """A name is a consumer group: services and projections share one space of names."""
    taken: set[str] = set()
    for service in program.services:
        if service.name in taken:
            raise DefinitionError(f"two services are called {service.name!r}", hint="the name is the consumer group")
        taken.add(service.name)
    for service in program.services:
        for projection in service.projections:
            if projection.group in taken:
                raise DefinitionError(
                    f"two groups are called {projection.group!r}", hint="projection(..., name=...) gives it another"
                )
            taken.add(projection.group)


def owners(program: Composition) -> None:
    found: dict[type[State], str] = {}
    for service, state in program.states():
        if found.setdefault(state, service.name) != service.name:
            kind = "a table" if issubclass(state, Row) else "an aggregate"
            raise DefinitionError(
                f"{state.__name__} is used by {found[state]!r} and {service.name!r}",
                hint=f"{kind} belongs to one service; the other may keep its own from the events",
            )


def spaces(program: Composition) -> None:
    """Two classes of one table, or of streams of one name, would read each other's."""
    found: dict[tuple[bool, str], type[State]] = {}
    for _, state in program.states():
        space = (issubclass(state, Row), state.__space__.lower())
        if found.setdefault(space, state) is not state:
            raise DefinitionError(
                f"{found[space].__name__} and {state.__name__} are both kept in {state.__space__!r}",
                hint="give one of them a table=" if issubclass(state, Row) else "give one of them a name=",
            )


def projected(program: Composition) -> None:
    """A projection's rows are its fold and nothing else, or a rebuild would lose what others wrote."""
    for service in program.services:
        folded: dict[type[Row], str] = {}
        for projection in service.projections:
            for row in projection.rows:
                if folded.setdefault(row, projection.name) != projection.name:
                    raise DefinitionError(
                        f"{row.__name__} is folded by {folded[row]!r} and {projection.name!r}",
                        hint="a row has one fold",
                    )
        for handler in service.handlers:
            for row in handler.writes:
                if row in folded:
                    raise DefinitionError(
                        f"{handler.where} writes {row.__name__}, which {folded[row]!r} folds",
                        hint="move the handler to the projection, or keep a row of the service's own",
                    )


def resources(program: Composition) -> None:
    """What is asked for by type is made once a process: by one service, for whoever asks."""
    made: dict[object, Resource] = {}
    for service in program.services:
        for kind, resource in service.resources.items():
            if made.setdefault(kind, resource) is not resource:
                raise DefinitionError(
                    f"{resource.name} is made twice: {made[kind].where} and {resource.where}",
                    hint="one resource a type: share it, or make a type of your own from it",
                )
    for service, handler in program.handlers() if not program.partial else ():
        for needed in handler.resources:
            if needed not in made:
                raise DefinitionError(
                    f"{handler.where} needs {shown(needed)}, which nothing makes",
                    hint=f"@{service.name}.resource\n    def make() -> {shown(needed)}: ...",
                )


def answers(program: Composition) -> None:
    """Every command that is sent, or called off, is handled."""
    if program.partial:
        return
    called_off = [(service.name, each) for service, handler in program.handlers() for each in handler.cancels]
    for sender, message in (*program.told(), *called_off):
        if issubclass(message, Command) and message not in program.commands:
            raise DefinitionError(
                f"{sender} sends {message.__name__}, which no service handles",
                hint="write @service.command for it, or add its service to the system",
            )


def sagas(program: Composition) -> None:
    """A saga hears how each of its steps and undos ended."""
    for service, saga in program.sagas():
        if sum(one.__name__ == saga.__name__ for one in service.sagas) > 1:
            raise DefinitionError(f"two sagas of {service.name!r} are called {saga.__name__}", hint="rename one")
        for each in saga.__steps__:
            for command in (each.command, each.undo_command):
                if command is not None:
                    _answered(f"{saga.__name__}.{each.name}", command)


def _answered(at: str, command: type[Message]) -> None:
    outcomes = outcomes_of(command).all
    if not outcomes:
        raise DefinitionError(
            f"{at}: {command.__name__} declares no outcome", hint=f"class {command.__name__}(Command[Done, Failed])"
        )
    for event in outcomes:
        if info_of(event).topic is None:
            raise DefinitionError(
                f"{at}: {event.__name__} is private, so the saga cannot hear it", hint="give it a topic="
            )
