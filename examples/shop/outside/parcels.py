"""A carrier that goes to some countries and not to others."""

from types import TracebackType
from typing import Self

SERVED = frozenset({"AT", "BE", "CH", "DE", "DK", "ES", "FR", "IT", "NL", "PL", "SE"})


class Parcels:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        return None

    def book(self, ship_to: str, *, reference: str) -> str | None:
        return f"parcel-{reference[:12]}" if ship_to in SERVED else None
