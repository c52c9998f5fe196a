"""This feature's queries, by name."""

from __future__ import annotations

from typing import Any

from kit import db

queries: Any = db.load(__file__)
