"""Other libraries, each asked in a process of its own: `python -m benchmarks.peers.NAME WHAT N FOLDER`.

A peer prints one JSON line, `{"figure": ..., "version": ...}`, after a warm-up that does not count.
"""
