"""Fixtures and helpers for tests of services: real Postgres, real gRPC, time that tests move."""

from kit.testing.clock import ManualClock
from kit.testing.eventually import eventually
from kit.testing.keys import Keys

__all__ = ["Keys", "ManualClock", "eventually"]
