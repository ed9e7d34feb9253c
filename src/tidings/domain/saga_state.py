"""A saga as a pure function: a state and something that happened give the next state and what to do.

    running    steps are asked for in the order written, those beside each other together
    undoing    a step failed, was refused or did not answer in time: the done ones are undone, last first. A step
               without an undo is the point of no return (a pivot): once asked, the saga waits for its answer
    completed  every step is done, `completed()` was told
    failed     every done step is undone, `failed()` was told
    stuck      an undo was refused: a person has to look; a later answer to it lets the saga go on

A success that comes after its saga gave up is undone too, whenever it comes (H27). Nothing here waits or writes: the
state is a row, what to do is returned, both are kept in one commit (H30).
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from tidings.domain.saga import Saga, Step

Phase: TypeAlias = Literal["idle", "asked", "done", "failed", "undoing", "undone", "skipped", "silent"]
Status: TypeAlias = Literal["running", "undoing", "completed", "failed", "stuck"]


class StepState(msgspec.Struct):
    """`idle`: not asked yet; `silent`: it was asked and did not answer in time; `attempt` counts askings."""

    phase: Phase = "idle"
    attempt: int = 0
    name: str = ""  # of the outcome
    version: int = 0
    outcome: msgspec.Raw = msgspec.Raw(b"null")
    late: bool = False  # its success came after the saga had given up


class SagaState(msgspec.Struct):
    start_name: str
    start_version: int
    start: msgspec.Raw
    steps: dict[str, StepState]
    status: Status = "running"
    reason: str = ""
    head: bytes = b""  # of the event that began it: what follows carries its flow


class Ask(msgspec.Struct):
    """Send this step's command (or its undo's)."""

    step: str
    undo: bool
    attempt: int


class Finish(msgspec.Struct):
    """Tell what `completed()` or `failed()` says."""

    completed: bool


Do: TypeAlias = Ask | Finish


class Flow:
    """The steps of one saga class, in stages: a stage's steps run beside each other."""

    def __init__(self, saga: type[Saga[Any]]) -> None:
        self.steps: dict[str, Step[Any, Any]] = {s.name: s for s in saga.__steps__}
        self.stages = [[s.name for s in stage] for stage in saga.__stages__]

    # ---- what happens ----

    def grow(self, state: SagaState) -> None:
        """An instance that an earlier program began: steps that came since are still to be asked for. A step that went
        is not undone; where it was waited for, the saga goes on with its next event or its time limit."""
        for name in self.steps:
            state.steps.setdefault(name, StepState())

    def begin(self, state: SagaState) -> list[Do]:
        return self._advance(state)

    def succeeded(self, state: SagaState, step: str) -> list[Do]:
        """A step's success, already noted in its StepState's outcome by the caller."""
        mine = state.steps[step]
        if mine.phase not in ("asked", "silent"):
            return []  # said twice
        mine.phase = "done"
        if state.status == "running":
            return self._advance(state)
        mine.late = True
        return self._undo_one(state, step) if state.status in ("failed", "completed") else self._unwind(state)

    def failed(self, state: SagaState, step: str, reason: str) -> list[Do]:
        mine = state.steps[step]
        if mine.phase not in ("asked", "silent"):
            return []
        mine.phase = "failed"
        if state.status == "running":
            state.status, state.reason = "undoing", reason
        return self._unwind(state) if state.status == "undoing" else []

    def timed_out(self, state: SagaState, reason: str, only: str | None = None) -> list[Do]:
        """The saga's (or one step's) time is up: whoever has not answered is not waited for any longer.

        But for a step that cannot be undone: once it is asked there is no way back, only its answer says how to go on.
        """
        waiting = [n for n in self.steps if state.steps[n].phase == "asked" and only in (None, n)]
        if state.status not in ("running", "undoing") or (only is not None and not waiting):
            return []
        if any(self._is_pivot(name) for name in waiting):
            return []
        for name in waiting:
            state.steps[name].phase = "silent"
        if state.status == "running":
            state.status, state.reason = "undoing", reason
        return self._unwind(state)

    def _is_pivot(self, name: str) -> bool:
        step = self.steps[name]
        return step.undoing is None and step.undoable

    def undone(self, state: SagaState, step: str) -> list[Do]:
        mine = state.steps[step]
        if mine.phase != "undoing":
            return []
        mine.phase = "undone"
        if state.status == "stuck":
            state.status = "undoing"
        return self._unwind(state) if state.status == "undoing" else []

    def undo_refused(self, state: SagaState, step: str, reason: str) -> list[Do]:
        if state.steps[step].phase == "undoing":
            state.status, state.reason = "stuck", f"undo of {step} was refused: {reason}"
        return []

    # ---- what follows ----

    def skip(self, state: SagaState, step: str) -> list[Do]:
        """The step's method made no command: it counts as done, and has nothing to undo."""
        state.steps[step].phase = "skipped"
        return self._advance(state) if state.status == "running" else []

    def skip_undo(self, state: SagaState, step: str) -> list[Do]:
        return self.undone(state, step)

    def _advance(self, state: SagaState) -> list[Do]:
        for stage in self.stages:
            mine = [state.steps[name] for name in stage]
            if all(s.phase in ("done", "skipped") for s in mine):
                continue
            return [self._ask(state, name) for name in stage if state.steps[name].phase == "idle"]
        state.status = "completed"
        return [Finish(True)]

    @staticmethod
    def _ask(state: SagaState, name: str) -> Ask:
        step = state.steps[name]
        step.phase = "asked"
        step.attempt += 1
        return Ask(name, False, step.attempt)

    def _unwind(self, state: SagaState) -> list[Do]:
        """The last stage that still has something to undo, or to wait for, goes first."""
        for stage in reversed(self.stages):
            do: list[Do] = []
            for name in reversed(stage):
                if state.steps[name].phase == "done":
                    do += self._undo_one(state, name)
            if any(state.steps[n].phase in ("asked", "undoing") for n in stage):
                return do
        state.status = "failed"
        return [Finish(False)]

    def _undo_one(self, state: SagaState, name: str) -> list[Do]:
        """Ask for the undo of a done step; a step without one stays as it is."""
        mine = state.steps[name]
        if self.steps[name].undoing is None:
            mine.phase = "undone"
            return []
        mine.phase = "undoing"
        return [Ask(name, True, mine.attempt)]


def fresh(flow: Flow, name: str, version: int, data: bytes, head: bytes) -> SagaState:
    return SagaState(name, version, msgspec.Raw(data), {n: StepState() for n in flow.steps}, head=head)


encode_state = msgspec.json.Encoder().encode
decode_state = msgspec.json.Decoder(SagaState).decode
