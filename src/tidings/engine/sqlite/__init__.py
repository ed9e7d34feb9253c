"""The engine on one SQLite file: log and store are one, publishing is the commit. No server, several processes.

    engine.py prepare.py migrate.py anchor.py    opening: the layout of the file, and its clock
    connect.py translate.py sql.py guard.py      the driver, its errors, where SQL lies, what users' SQL may do
    writer.py turn.py fair.py                    the one thread that writes, its transactions, whose turn it is
    units.py effects.py inside.py seal.py        a unit: conditions, effects, transactional handlers, checksums
    reads.py catalog.py users.py                 the loop's own connection, what is declared, queries and long looks
    log.py scan.py reader.py                     topics and looks, the scan, a member's stream of records
    seats.py members.py waking.py                who should have what, who lives, who must look again
    sweep.py retention.py compaction.py sizes.py purge.py    what goes
    store.py groups.py states.py waits.py people.py operators.py    the store's parts
    facts.py sound.py                            what the engine knows of its file, and whether it is sound

Files: PATH, PATH-wal and PATH-shm are SQLite's. Beside them PATH.lock and PATH.queue (whose turn it is to write),
PATH.wake (written after each commit, watched by all), PATH.members/ (a locked file a member). None of these holds
anything that matters when no process runs. All processes must be on one machine: no network file system has the locks.

What is promised: a commit that was answered survives the death of the process always, and power loss with
`synchronous="full"`. A damaged record is reported, never served. A full or read-only disk is an error (`Unavailable`)
that says so; nothing is lost, and work goes on when there is space again.
"""

from __future__ import annotations

from tidings.engine.sqlite.engine import Sqlite

__all__ = ["Sqlite"]
