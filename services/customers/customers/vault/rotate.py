"""`python -m customers rotate-keys`: data keys under the current key-encryption key, indexes under theirs.

Runs while everything serves, in pages, and may be broken off and run again: what is done is passed over. A
data key stays the same, so whoever has it unwrapped goes on; an address is found by either index key until
the old one is taken out of the provider.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from customers.vault.seal import PersonKey, Sealer, Token
from customers.vault.vault import Vault
from kit import db
from kit.batch import once
from kit.operate import Command
from kit.runtime import Runtime

queries = db.load(__file__)
PAGE = 100
Names = dict[str, Any]


@dataclass(slots=True)
class Rotated:
    """What a pass changed: data keys wrapped anew, customers indexed anew."""

    wrapped: int = 0
    indexed: int = 0


class Rotation:
    """One pass over all customers of the vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def run(self) -> Rotated:
        """Bring every customer to the current keys."""
        done, after = Rotated(), ("", "")
        current = await self._vault.keyring.current()
        while True:
            page = await self._page(after)
            if not page:
                return done
            fresh = await self._vault.keyring.rewrap(page, current)
            if fresh:
                old = {(p.merchant_id, p.customer_id): p.wrapped for p in page}
                await once(self._vault.pool, _rewrap, [(old[p.merchant_id, p.customer_id], p) for p in fresh])
                done.wrapped += len(fresh)
            done.indexed += await self._reindex(page)
            after = (page[-1].merchant_id, page[-1].customer_id)

    async def uses(self) -> dict[str, int]:
        """How much each key still wraps or indexes; one that is not named may be removed."""
        async with self._vault.pool.acquire(timeout=5) as conn:
            return {row["name"]: row["uses"] async for row in queries.wrapped_by(conn)}

    async def _page(self, after: tuple[str, str]) -> list[PersonKey]:
        async with self._vault.pool.acquire(timeout=5) as conn:
            rows = queries.people_page(conn, merchant_id=after[0], customer_id=after[1], size=PAGE)
            return [
                PersonKey(r["merchant_id"], r["customer_id"], r["key_version"], r["kek_id"], r["wrapped_key"])
                async for r in rows
            ]

    async def _reindex(self, page: Sequence[PersonKey]) -> int:
        version = self._vault.index.version
        async with self._vault.pool.acquire(timeout=5) as conn:
            rows = queries.indexed_by_another(
                conn,
                merchants=[p.merchant_id for p in page],
                customers=[p.customer_id for p in page],
                version=version,
            )
            old = {(r["merchant_id"], r["customer_id"]) async for r in rows}
        people = [p for p in page if (p.merchant_id, p.customer_id) in old]
        # As they were read: the data key is the same, whoever wraps it by now.
        sealers = await self._vault.keyring.sealers(people)
        for person, sealer in zip(people, sealers, strict=True):
            await once(self._vault.pool, self._reindex_all, (person, sealer))
        return len(people)

    async def _reindex_all(
        self, conn: db.Conn, people: Sequence[tuple[PersonKey, Sealer]], wait: bool
    ) -> list[None]:
        """Index customers anew under the vault's lock of each; an erased one has nothing left to index."""
        del wait
        for person, sealer in people:
            names: Names = {"merchant_id": person.merchant_id, "customer_id": person.customer_id}
            locked = queries.lock_page(conn, merchants=[person.merchant_id], customers=[person.customer_id])
            if [row async for row in locked]:
                await self._addresses(conn, sealer, names)
                await self._evidence(conn, sealer, names)
                await self._search(conn, sealer, names)
        return [None for _ in people]

    async def _addresses(self, conn: db.Conn, sealer: Sealer, names: Names) -> None:
        held: dict[tuple[str, bytes], bool] = {}
        ids, tokens = [], []
        async for row in queries.points_to_index(conn, **names):
            token = self._token(sealer, names, row["channel"], row["channel"], row["sealed"])
            ids.append(row["point_id"])
            tokens.append(token.current)
            if row["live"]:
                place = (token.kind, token.current)
                held[place] = held.get(place, True) and row["shared"]
        version = self._vault.index.version
        await queries.reindex_points(conn, point_ids=ids, tokens=tokens, index_version=version, **names)
        await queries.clear_contact_index(conn, **names)
        await queries.put_contact_index(
            conn,
            kinds=[kind for kind, _ in held],
            tokens=[token for _, token in held],
            shared=list(held.values()),
            index_version=version,
            **names,
        )

    async def _evidence(self, conn: db.Conn, sealer: Sealer, names: Names) -> None:
        seqs, tokens = [], []
        async for row in queries.consents_to_index(conn, **names):
            seqs.append(row["seq"])
            tokens.append(self._token(sealer, names, row["channel"], "consent", row["sealed"]).current)
        await queries.reindex_consents(conn, seqs=seqs, tokens=tokens, **names)

    async def _search(self, conn: db.Conn, sealer: Sealer, names: Names) -> None:
        wanted = {"merchants": [names["merchant_id"]], "customers": [names["customer_id"]]}
        fields: dict[str, str] = {}
        async for row in queries.people(conn, fields=["full_name", "nickname", "birth_date"], **wanted):
            sealed = zip(row["names"] or (), row["sealed"] or (), strict=True)
            fields = {name: sealer.open(name, value) for name, value in sealed}
        searched = self._vault.search_tokens(names["merchant_id"], fields)
        found = [t for tokens in searched.values() for t in tokens]
        await queries.forget_search(conn, **names)
        await queries.put_search_index(
            conn,
            kinds=[t.kind for t in found],
            tokens=[t.current for t in found],
            index_version=self._vault.index.version,
            **names,
        )

    def _token(self, sealer: Sealer, names: Names, channel: str, field: str, sealed: bytes) -> Token:
        return self._vault.address_token(names["merchant_id"], channel, sealer.open(field, sealed))


async def _rewrap(
    conn: db.Conn, pages: Sequence[Sequence[tuple[bytes, PersonKey]]], wait: bool
) -> list[None]:
    """Write data keys that are wrapped anew; (as they were, as they are)."""
    del wait
    for page in pages:
        people = [person for _, person in page]
        names = {
            "merchants": [p.merchant_id for p in people],
            "customers": [p.customer_id for p in people],
        }
        async for _ in queries.lock_page(conn, **names):
            pass
        await queries.rewrap(
            conn,
            kek_ids=[p.kek_id for p in people],
            old=[old for old, _ in page],
            fresh=[p.wrapped for p in people],
            **names,
        )
    return [None for _ in pages]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", action="store_true", help="only tell what each key is still needed for")


async def _run(arguments: argparse.Namespace, runtime: Runtime[Any]) -> int:
    from customers.app import open_vault

    rotation = Rotation(await open_vault(runtime))
    if not arguments.status:
        done = await rotation.run()
        print(f"wrapped {done.wrapped} data keys anew, indexed {done.indexed} customers anew")
    for name, uses in (await rotation.uses()).items():
        print(f"{name} is needed for {uses}")
    return 0


COMMAND = Command("rotate-keys", "bring the vault to the current keys, while it serves", _arguments, _run)
