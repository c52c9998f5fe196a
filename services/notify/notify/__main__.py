"""`python -m notify serve | work | all | migrate | parked | rewind`."""

from __future__ import annotations

from kit.main import main
from kit.runtime import Database
from notify.app import build
from notify.settings import Settings

if __name__ == "__main__":
    main("notify", Settings, build, [Database.of("notify")])
