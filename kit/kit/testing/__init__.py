"""Fixtures and helpers for tests of services: real Postgres, real gRPC, time that tests move."""

from kit.testing.clock import ManualClock
from kit.testing.eventually import eventually
from kit.testing.keys import Keys
from kit.testing.refusals import error_info, refusal

__all__ = ["Keys", "ManualClock", "error_info", "eventually", "refusal"]
