"""Bodies: JSON of the declared fields, one encoder for all types and one decoder for each.

JSON, so that any consumer can read it; numbers that must be exact (Decimal) and moments travel as text. A body of an
old version is read as a dict and upcast step by step, then checked against the class as it stands.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from tidings.errors import DefinitionError, Poison
from tidings.event.evolution import upcast
from tidings.event.message import Message, info_of

M = TypeVar("M", bound=Message)
_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode


class Codec(Generic[M]):
    """Writes and reads messages of one class. Raises DefinitionError where JSON cannot hold a field's type."""

    def __init__(self, cls: type[M]) -> None:
        info = info_of(cls)
        self.cls = cls
        self.name = info.name
        self.version = info.version
        self._upcasts = info.upcasts
        try:
            self._decode = msgspec.json.Decoder(cls).decode
        except (NameError, AttributeError) as missing:
            raise DefinitionError(
                f"{cls.__name__}: {missing}", hint="define or import the type of this field"
            ) from None
        except TypeError as wrong:
            raise DefinitionError(
                f"{cls.__name__}: {wrong}", hint="a field must be of a type that JSON can hold"
            ) from None

    def encode(self, message: M) -> bytes:
        """Raises Poison where a value cannot be written."""
        try:
            return _encode(message)
        except (TypeError, ValueError, RecursionError) as error:
            raise Poison(f"{self.name} version {self.version} cannot be written: {error}") from error

    def decode(self, version: int, data: bytes | None) -> M:
        """The message, upcast where it was written in an older version. Raises Poison where it cannot be read."""
        try:
            if version == self.version:
                return self._decode(data)  # type: ignore[arg-type]  # None is no JSON, and said so below
            return self._from_old(version, data)
        except (TypeError, ValueError, RecursionError) as error:  # DecodeError and UnicodeDecodeError are ValueErrors
            raise Poison(
                f"{self.name} version {version} cannot be read: {'it has no body' if data is None else error}",
                hint="the producer and this class disagree about version "
                f"{version}: mend the class or add an upcast, then redrive the event",
            ) from error

    def _from_old(self, version: int, data: bytes | None) -> M:
        if version > self.version:
            raise Poison(
                f"{self.name} version {version} is newer than version {self.version}, which this program knows",
                hint="deploy the new class here as well",
            )
        body = upcast(self.name, version, self.version, _decode_any(data), self._upcasts)  # type: ignore[arg-type]
        return msgspec.convert(body, self.cls, str_keys=True)
