"""A receipt is text that travels outside (a cookie, a header) and comes back: whatever comes is read with care.

Each engine has a form of its own. What is not of that form is Refused, with a sentence for whoever handed it in.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

import msgspec

from tidings.errors import Refused

T = TypeVar("T")
Offset: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


def read_receipt(receipt: str, form: msgspec.json.Decoder[T]) -> T:
    """Raises Refused."""
    try:
        return form.decode(receipt)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused(
            f"{receipt[:60]!r} is no position of a commit", hint="hand back the `position` of a Receipt as it was"
        ) from error
