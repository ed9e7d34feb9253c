"""The command line. `main` is the console script `tidings`.

    app.py exits.py               commands are found, errors become exit codes
    options.py show.py texts.py confirm.py    what commands share: which store, tables and JSON, harmless text
    run.py workers.py stopping.py health.py logs.py    workers, in this process or several; are they well, what they say
    the rest                      one file a command, or a few that belong together

Everything that is shown comes from `tidings.ops`. Exit codes: 0 done, 1 something is wrong (with what was looked at, or
an answer that is no), 2 wrong use, setting or store, 130 Ctrl-C. A closed pipe ends a command quietly.
"""

from __future__ import annotations

from tidings.cli.exits import main

__all__ = ["main"]
