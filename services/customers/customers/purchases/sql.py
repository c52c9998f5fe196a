"""This feature's queries, by name, and the topic of its events."""

from __future__ import annotations

from typing import Any

from kit import db

queries: Any = db.load(__file__)
TOPIC = "customers"
