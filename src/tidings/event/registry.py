"""Which class a name in the log stands for. One registry per program; there is no global one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tidings.errors import DefinitionError
from tidings.event.message import Message, info_of


class Registry(Mapping[str, type[Message]]):
    """Name to class. Raises DefinitionError where two classes claim one name."""

    def __init__(self, messages: Iterable[type[Message]]) -> None:
        self._classes: dict[str, type[Message]] = {}
        for cls in messages:
            name = info_of(cls).name
            first = self._classes.setdefault(name, cls)
            if first is not cls:
                raise DefinitionError(
                    f"two messages are called {name!r}: {_full(first)} and {_full(cls)}",
                    hint="give one of them a name= in its class line",
                )

    def __getitem__(self, name: str) -> type[Message]:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


def _full(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
