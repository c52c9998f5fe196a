"""An erasure, step by step over two databases and credit; whatever stops in between, the sweep goes on.

ASKED or OPEN_BALANCE → credit says that nothing is open → ERASING: not recognised any more, nothing is sold
→ credit says so again, for a hold may have come in between → the vault destroys key and index entries
→ ERASED, told as customer-erased. A step that was done before does nothing.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from customers import metrics
from customers.erasures import store
from customers.erasures.balance import Balances
from customers.erasures.store import Ask, Erasure, Key
from customers.peers import PeerUnavailable
from customers.profiles.model import Draft
from customers.profiles.writing import Profiles, Update
from customers.vault import erase
from customers.vault.read import Reader
from customers.vault.vault import Vault
from kit import db
from kit.batch import once
from kit.clock import Clock
from kit.errors import DomainError
from kit.ids import derived_uuid

log = structlog.get_logger()
SUBJECT = "langganan-customers"
_CLAIM_MAX = 20


class Erasures:
    """Carries erasures out. `retry_s`: how long one waits for its next turn, wall time."""

    def __init__(
        self,
        pool: db.Pool,
        vault: Vault,
        profiles: Profiles,
        balances: Balances,
        clock: Clock,
        retry_s: float,
    ) -> None:
        self._pool, self._vault, self._profiles = pool, vault, profiles
        self._balances, self._clock, self.retry_s = balances, clock, retry_s

    async def erase(self, asked: Ask) -> Erasure:
        """Note a wish and carry it out as far as it goes now."""
        await self.ask(asked)
        return await self.advance(asked.key)

    async def ask(self, asked: Ask) -> Erasure:
        """The first step: the wish is noted and will be carried out, whatever happens."""
        return await once(self._pool, store.ask, asked)

    async def again(self, asked: Ask) -> bool:
        """Carry out what was done before a restore; False where the customer is unknown here."""
        known = await once(self._pool, store.again, asked)
        await self.destroy(asked.key)
        if known:
            await self.finish(asked.key)
        return known

    async def advance(self, key: Key) -> Erasure:
        """Carry an erasure on as far as it goes now; a service that is away stops it where it is."""
        try:
            if await self._may_go_on(key):
                await self.destroy(key)
                await self.finish(key)
        except PeerUnavailable as error:
            log.warning("erasure_waits", merchant=key[0], customer=key[1], why=error.message)
        return await self._read(key)

    async def _may_go_on(self, key: Key) -> bool:
        """Ask credit, begin, and ask once more: between two questions a till may have held something."""
        state = (await self._read(key)).state
        if state == store.ERASED:
            return False
        if state != store.ERASING:
            if not await self._balances.settled(*key):
                await self.restrict(key)
                return False
            await self.begin(key)
        elif not await self.sealed(key):
            return True
        if not await self._balances.settled(*key):
            await self.restrict(key)
            return False
        return True

    async def begin(self, key: Key) -> None:
        """ERASING: nobody recognises the customer any more."""
        await once(self._pool, store.begin, key)

    async def sealed(self, key: Key) -> bool:
        """Whether the vault still holds the person; once it does not, there is no way back."""
        async with self._vault.pool.acquire(timeout=5) as conn:
            return await erase.holds(conn, *key)

    async def restrict(self, key: Key) -> None:
        """Something is open: RESTRICTED, said once as customer-updated, until it is settled."""
        await once(self._pool, store.hold_back, key)
        merchant_id, customer_id = key
        request_id = derived_uuid("erasure-restricts", merchant_id, customer_id)
        who, draft = Reader(merchant_id, SUBJECT), Draft({}, {"status": "RESTRICTED"})
        if await self.sealed(key):
            now = self._clock.now()
            await self._profiles.update(Update(request_id, customer_id, draft, "", False, who, now))

    async def destroy(self, key: Key) -> None:
        """The vault destroys key and index entries; consents stay as evidence that names nobody."""
        await once(self._vault.pool, erase.destroy, key)
        self._vault.keyring.forget(*key)

    async def finish(self, key: Key) -> None:
        """ERASED, and told."""
        await once(self._pool, store.finish, (key, self._clock.now()))
        metrics.ERASED.inc()

    async def _read(self, key: Key) -> Erasure:
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.read(conn, key)
        assert found is not None, "it was noted before"
        return found

    async def sweep(self, now: datetime) -> int:
        """Carry on what waits or what a crash left; return how many came to their end."""
        async with db.transaction(self._pool) as conn:
            keys = await store.claim(conn, self.retry_s, _CLAIM_MAX)
        ended = 0
        for key in keys:
            try:
                ended += (await self.advance(key)).state == store.ERASED
            except DomainError as error:
                log.warning("erasure_waits", merchant=key[0], customer=key[1], why=error.message)
        async with self._pool.acquire(timeout=5) as conn:
            for state, (number, since) in (await store.open_by_state(conn, now)).items():
                metrics.ERASURES_OPEN.labels(state).set(number)
                metrics.ERASURE_AGE.labels(state).set((now - since).total_seconds())
        return ended
