"""Histories on which service and reference once disagreed, as short as they shrank to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from credit.app import build
from credit.settings import Settings
from kit.testing.keys import Keys
from kit.testing.running import Running, running
from tests.credit.conftest import NOON, Credit
from tests.credit.histories.play import Ids, Play, SettableClock
from tests.credit.histories.steps import step
from tests.credit.histories.tours import asked, confirmed, held, opened, paid, reversed_


@pytest.fixture(scope="module")
async def shops(new_database: Callable[..., Awaitable[str]], keys: Keys) -> AsyncIterator[Running]:
    """A service with a database of its own, whose clock each history sets back."""
    own = Settings(database_url=await new_database("credit"))
    async with running("credit", build, own, keys, SettableClock(NOON)) as run:
        yield run


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([reversed_(0, 0, who=2)], id="reversed for who has no account: ACCOUNT_NOT_FOUND"),
        pytest.param([confirmed(0, 0, who=2)], id="confirmed for who has no account: ACCOUNT_NOT_FOUND"),
        pytest.param(
            [opened(), asked(0), held("void", 0), opened(request=1, zone="Asia/Makassar")],
            id="another zone, same currency: the amounts of holds were forgotten",
        ),
        pytest.param(
            [
                opened(limit=300),
                paid(0, 150),
                asked(0, 200),
                asked(1, 190),
                step("pay_out", who=0, payout=0, amount=70, reference=""),
                step("pay_out", who=0, payout=0, amount=60, reference=""),
            ],
            id="credit that pending holds rest on: the reference paid it out",
        ),
    ],
)
async def test_service_and_reference_agree_since(shops, history):
    await Play(Credit(shops), shops.deliver, Ids()).run([(one,) for one in history])
