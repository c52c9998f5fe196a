"""A hold's id that another customer takes in the very moment of a batch spoils nothing else in it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from credit.accounts.model import Key
from credit.holds.authorize import Ask, authorize
from credit.holds.model import NO_TILL, State
from credit.policies.codec import installed
from credit.policies.store import Policies
from kit import db
from kit.errors import IdempotencyConflict
from kit.execute import execute
from kit.ids import new_customer_id, new_uuid
from kit.testing import eventually
from tests.credit.conftest import NOON, rupiah


async def test_what_stands_behind_a_taken_id_in_its_batch_is_decided_without_it(alone):
    credit = await alone()
    customer, taken, pool = await credit.open(limit=100), new_uuid(), credit.run.pool
    asks = [
        Ask(Key(credit.merchant, customer), id_, rupiah(60), None, timedelta(minutes=15), NO_TILL, NOON)
        for id_ in (taken, new_uuid())
    ]
    run = partial(authorize, Policies(installed()))
    async with pool.acquire() as another, another.transaction():
        await another.execute(  # as a Void of another process, before it commits
            "INSERT INTO holds (merchant_id, hold_id, customer_id, state, store_id, register_id, staff_ref, "
            "recognised_by, decided_at) VALUES ($1, $2, $3, 'VOIDED', '', '', '', 0, $4)",
            credit.merchant,
            taken,
            new_customer_id(),
            NOON,
        )
        batch = asyncio.create_task(execute("authorize", partial(db.transaction, pool), run, asks, wait=True))
        await eventually(partial(_waits_for_a_transaction, pool), every=0.002)
    refused, approved = await batch
    assert isinstance(refused, IdempotencyConflict)
    assert approved.hold.state is State.PENDING
    assert approved.account.held == 60
    await credit.check_books(customer)


async def _waits_for_a_transaction(pool):
    sql = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock' AND wait_event = 'transactionid'"
    )
    return await pool.fetchval(sql)
