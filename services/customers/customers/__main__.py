"""`python -m customers serve | work | all | migrate | …`; migrate brings both databases up to date."""

from __future__ import annotations

from customers.app import DATABASES, build
from customers.commands import COMMANDS
from customers.settings import Settings
from kit.main import main

if __name__ == "__main__":
    main("customers", Settings, build, DATABASES, own=COMMANDS)
