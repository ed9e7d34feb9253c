"""The engine on PostgreSQL: log and store are one database, publishing is the commit. Many processes, many hosts.

    pool.py translate.py sql.py guard.py     connections, the driver's errors, where SQL lies, what users' SQL may be
    migrate.py clock.py                      the layout of the schema, and its time
    schema.sql                               tables, and the commit as one function
    packing.py commits.py inside.py          a unit on its way in, the calls, transactional handlers
    horizon.py scan.py reader.py             what has settled, looks, a member's stream of records
    seats.py waking.py                       who should have what, who lives, who must look again
    sweep.py retention.py compaction.py sizes.py purge.py    what goes
    core.py catalog.py log.py store.py groups.py states.py waits.py people.py operators.py

A commit is one statement, so no client can stop between lock and commit, and costs one round trip. Readers go up to the
settled horizon, so what commits late is neither lost nor turned round. It is one for the whole server: a transaction
that writes and stays open, in whatever database, holds every reader back until it ends; `facts` names it.

Connections are direct ones: LISTEN and the locks of members need sessions, which a pooler in transaction mode does not
keep. The schema is the first of the search_path: `postgresql://host/db?options=-csearch_path%3Dshop`. Texts may not
contain the character NUL, which the server does not keep.
"""

from __future__ import annotations

from tidings.engine.postgres.engine import Postgres

__all__ = ["Postgres"]
