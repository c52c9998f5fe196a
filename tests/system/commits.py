"""Every commit of the credit database in order, and what it left of each account.

Postgres itself tells them, by logical decoding of its log, so nothing that was true for a moment is missed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg

from kit.testing import eventually
from local.stack import Stack

SLOT = "every_commit"
_CHANGE = re.compile(r"table public\.(\w+): (INSERT|UPDATE|DELETE): (.*)", re.DOTALL)
_VALUE = re.compile(r"(\w+)\[[^\]]*\]:('(?:[^']|'')*'|\S+)")


async def tell_commits(stack: Stack) -> None:
    """Let Postgres write into its log what decoding needs; it starts again for that."""
    superuser = await asyncpg.connect(stack.superuser_url)
    await superuser.execute("ALTER SYSTEM SET wal_level = logical")
    await superuser.close()
    await stack.restart("postgres")
    for process in stack.processes:
        await stack.ready(process)


@dataclass
class Account:
    """An account as its own row says it, and as the ledger and the holds say it."""

    limit: int = 0
    cached: tuple[int, int, int] = (0, 0, 0)  # posted, credit balance, held
    posted: int = 0
    credit: int = 0
    holds: dict[str, int] = field(default_factory=dict)  # what each keeps aside

    @property
    def folded(self) -> tuple[int, int, int]:
        """The same three from what was written one by one."""
        return (self.posted, self.credit, sum(self.holds.values()))


@dataclass
class Replay:
    """What came of reading all commits; `states` counts the states of accounts that were looked at."""

    accounts: defaultdict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    entries: Counter[tuple[str, ...]] = field(default_factory=Counter)
    states: int = 0
    commits: int = 0

    def commit(self, touched: set[str]) -> None:
        """Look at the accounts that a transaction touched, as it left them."""
        self.commits += bool(touched)
        for customer in touched:
            account = self.accounts[customer]
            assert account.folded == account.cached, f"{customer}: {account}"
            posted, credit, held = account.folded
            assert posted + held <= account.limit + credit, f"{customer} has passed its limit: {account}"
            self.states += 1

    def change(self, table: str, row: dict[str, str]) -> str:
        """Take in one row; return the customer."""
        customer = row["customer_id"]
        account = self.accounts[customer]
        if table == "accounts":
            account.limit = int(row["credit_limit"])
            account.cached = (int(row["posted"]), int(row["credit_balance"]), int(row["held"]))
        elif table == "entries":
            account.posted += int(row["posted"])
            account.credit += int(row["credit"])
            self.entries[tuple(row[name] for name in ("cause_type", "cause_id", "line", "effect"))] += 1
        else:
            account.holds[row["hold_id"]] = int(row["amount"]) if row["state"] == "PENDING" else 0
        return customer


class Commits:
    """Reads the commits of one merchant, from the moment of entering on."""

    def __init__(self, stack: Stack, merchant: str) -> None:
        self._url = stack.superuser_url.replace("/postgres?", f"/{stack.settings.prefix}credit?")
        self._merchant = merchant

    async def __aenter__(self) -> Commits:
        await self._run("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", SLOT)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await eventually(self._free, within=10)
        await self._run("SELECT pg_drop_replication_slot($1)", SLOT)

    async def _free(self) -> bool:
        busy = await self._run("SELECT 1 FROM pg_replication_slots WHERE slot_name = $1 AND active", SLOT)
        return not busy

    async def replay(self) -> Replay:
        """Go through all commits so far, in order; fail at the first that left an account wrong."""
        sql = "SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL, 'skip-empty-xacts', '1')"
        done, touched = Replay(), set[str]()
        for line in (row["data"] for row in await self._run(sql, SLOT)):
            if line.startswith("COMMIT"):
                done.commit(touched)
                touched = set()
            for table, row in self._changes(line):
                touched.add(done.change(table, row))
        return done

    def _changes(self, line: str) -> Iterator[tuple[str, dict[str, str]]]:
        found = _CHANGE.match(line)
        if found is None or found[1] not in ("accounts", "entries", "holds"):
            return
        table, what, values = found.groups()
        row = {name: value.strip("'") for name, value in _VALUE.findall(values)}
        if row["merchant_id"] == self._merchant:
            assert what != "DELETE", line
            yield table, row

    async def _run(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()
