"""Every command, by its name. A command's own module is loaded only when it is called, so that `--help` is quick."""

from __future__ import annotations

from cyclopts import App, Group, Parameter

from tidings.ops import version

WORK = Group("Work", sort_key=1)
SEE = Group("Look", sort_key=2)
DO = Group("Act", sort_key=3)
PROVE = Group("Prove", sort_key=4)

app = App(
    name="tidings",
    help="Event-driven systems: run them, look into them, act on them, prove them.",
    help_format="markdown",
    version=version,
    version_flags=["--version"],
    default_parameter=Parameter(show_default=False),
)
COMMANDS = (
    ("run:run", WORK, "Run a system's services."),
    ("publish:publish", WORK, "Tell an event, or ask a command."),
    ("groups:groups", SEE, "Who handles what, how far each group is, and what is wrong with it."),
    ("topics:topics", SEE, "Topics: what lies in them, how long they keep it, who reads them."),
    ("topics:tail", SEE, "The records of topics, as they lie there or as they come."),
    ("journey:journey", SEE, "A whole flow: who caused what, and what became of each message."),
    ("streams:streams", SEE, "The history of one entity."),
    ("sagas:sagas", SEE, "Which step each saga is at, and why it failed or is stuck."),
    ("parked:parked", SEE, "Keys that stand still because an event of theirs cannot be handled."),
    ("graph:graph", SEE, "Who tells whom what, read from the signatures."),
    ("parked:redrive", DO, "Let parked events run again, or drop them."),
    ("reset:reset", DO, "Move a group to another place in the log; rebuild a projection."),
    ("groups:pause", DO, "Stop a group where it stands."),
    ("groups:resume", DO, "Let a paused group go on."),
    ("verify:verify", PROVE, "Look at everything a store holds: which invariants hold?"),
    ("doctor:doctor", PROVE, "The state of the store and of what it stands on."),
)
for _order, (_place, _group, _help) in enumerate(COMMANDS):
    _name = _place.partition(":")[2]
    app.command(f"tidings.cli.{_place}", name=_name, group=_group, help=_help, sort_key=_order)
