"""`python -m customers erasures`: the list that is kept outside, and its use after a restore.

A restored database knows again who had been erased since its copy was made. The list, kept elsewhere, says
who: `erasures > FILE` writes it, `erasures apply FILE` carries out again what is in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from customers.erasures import store
from customers.erasures.steps import SUBJECT, Erasures
from customers.erasures.store import Ask
from kit import db
from kit.operate import Command
from kit.runtime import Runtime

_PAGE = 500


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "apply"], default="list")
    parser.add_argument("file", nargs="?", type=Path, help="apply: a list that was written before")


async def _run(arguments: argparse.Namespace, runtime: Runtime[Any]) -> int:
    if arguments.action == "list":
        async for line in listed(await runtime.pool()):
            print(line)
        return 0
    if arguments.file is None:
        print("name the FILE with the list that was kept outside", file=sys.stderr)
        return 2
    from customers.app import erasures_of

    erasures, close = await erasures_of(runtime)
    try:
        done, unknown = await apply(erasures, _read(arguments.file))
    finally:
        await close()
    print(f"erased again {done}, unknown to the customers database and destroyed in the vault {unknown}")
    return 0


async def listed(pool: db.Pool) -> AsyncIterator[str]:
    """Yield a line of JSON for each erasure that began to destroy; nothing of it names a person."""
    after = ("", "")
    while True:
        async with pool.acquire(timeout=5) as conn:
            page = [
                row
                async for row in store.queries.page(
                    conn, after_merchant=after[0], after_customer=after[1], size=_PAGE
                )
            ]
        for row in page:
            if row["state"] in (store.ERASING, store.ERASED):
                yield json.dumps({name: row[name] for name in row.keys()}, default=str)  # noqa: SIM118
        if len(page) < _PAGE:
            return
        after = (page[-1]["merchant_id"], page[-1]["customer_id"])


def _read(file: Path) -> Iterator[dict[str, str]]:
    with file.open() as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


async def apply(erasures: Erasures, lines: Iterator[dict[str, str]]) -> tuple[int, int]:
    """Carry out each erasure of a list again; returns (customers erased, customers that are not there)."""
    done = unknown = 0
    for line in lines:
        asked = Ask(
            key=(line["merchant_id"], line["customer_id"]),
            request_id="",
            reason=line["reason"],
            subject=SUBJECT,
            origin=b"",
            till=("", "", ""),
            now=datetime.fromisoformat(line["asked_at"]),
            lease_s=erasures.retry_s,
        )
        if await erasures.again(asked):
            done += 1
        else:
            unknown += 1
    return done, unknown


COMMAND = Command("erasures", "list who was erased, or erase again after a restore", _arguments, _run)
