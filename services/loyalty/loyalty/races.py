"""One id used for two customers at the same time: their locks differ, only the unique key sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


@contextmanager
def second_sees_first() -> Iterator[None]:
    """Run the transaction again when a key was taken meanwhile: it then reads who took it and says so.

    Postgres has waited for the other's commit by then, so the next run sees it.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise asyncpg.SerializationError(f"taken meanwhile: {error.constraint_name}") from error
