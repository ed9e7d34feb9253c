"""Questions about speed, each answered in one run beside a floor and, where one exists, a peer.

A *floor* is the same work by hand, without a framework: the same events and bytes, ids, envelopes and checksums, the
same SQLite settings, the same number of fsyncs. A *peer* is another library at its current version, asked the nearest
thing that it can do. All of them take turns within one run, because two runs on one machine differ by more than any
change is worth. `python -m benchmarks [name ...]` asks all questions, or these; `harness.py` says how.
"""

from __future__ import annotations

QUESTIONS = (
    "pipeline_exactly_once",
    "append_batch",
    "append_awaited",
    "load_aggregate",
    "codec_envelope",
    "flat_by_size",
    "flat_by_partitions_and_keys",
    "saga_three_steps",
    "call_latency",
    "idle_worker",
    "memory_worker",
    "fairness_of_four",
)
