"""`python -m credit serve | work | all | migrate | audit | parked | rewind`."""

from __future__ import annotations

from credit.app import DATABASES, build
from credit.policies.review import absent_plugins
from credit.settings import Settings
from kit.main import main

if __name__ == "__main__":
    main("credit", Settings, build, DATABASES, absent_plugins)
