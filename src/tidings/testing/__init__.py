"""Test what you build.

Scenario   a sentence about one service: given(...).when(...).then(...)
run        a whole system as a World: real groups and commits, a clock that the test steers, crashes at a named moment
heard      wait for a named point in the life of an event
"""

from __future__ import annotations

from tidings.testing.clock import SteeredClock
from tidings.testing.points import Heard, heard
from tidings.testing.scenario import Scenario
from tidings.testing.world import CrashPoint, Parked, World, run

__all__ = ["CrashPoint", "Heard", "Parked", "Scenario", "SteeredClock", "World", "heard", "run"]
