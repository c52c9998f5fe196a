"""The service and the reference agree on every answer, balance and event of the same random histories."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import HealthCheck, given, settings
from prometheus_client import REGISTRY

from credit.app import build
from credit.audit.checks import AUDIT
from credit.settings import Settings
from kit.audit import run_audit
from kit.broker import Broker
from kit.events import Outgoing, topics
from kit.events.envelope import as_record
from kit.ids import new_uuid
from kit.testing import eventually
from kit.testing.keys import Keys
from kit.testing.running import Running, running
from tests.credit.conftest import NOON, Credit
from tests.credit.histories import outcomes
from tests.credit.histories.play import Ids, Play, SettableClock
from tests.credit.histories.steps import histories, one_by_one
from tests.credit.histories.tours import TOURS

REFERENCE = Path(__file__).parent / "reference"
# HISTORIES=2000 plays so many other ones; without it always the same few.
HISTORIES = int(os.environ.get("HISTORIES", "0"))


def profile(usually: int) -> settings:
    return settings(
        max_examples=HISTORIES or usually,
        derandomize=not HISTORIES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
async def shops(new_database: Callable[..., Awaitable[str]], keys: Keys) -> AsyncIterator[Running]:
    """A service with a database of its own, whose clock each history sets back."""
    own = Settings(database_url=await new_database("credit"))
    async with running("credit", build, own, keys, SettableClock(NOON)) as run:
        yield run


@pytest.fixture(scope="module")
async def behind_kafka(
    new_database: Callable[..., Awaitable[str]], keys: Keys, kafka_bootstrap: str
) -> AsyncIterator[tuple[Running, Callable[..., Awaitable[None]]]]:
    """The same, whose consumer polls the broker; and what sends events and waits until they are taken in."""
    prefix = f"{new_uuid()}."
    own = Settings(
        database_url=await new_database("credit"), kafka_bootstrap=kafka_bootstrap, topic_prefix=prefix
    )
    await topics.ensure(Broker(kafka_bootstrap), topics.house(prefix, partitions=3, replication=1))
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    async with running("credit", build, own, keys, SettableClock(NOON)) as run:
        consumer = run.service.consumer
        assert consumer is not None
        polling = asyncio.create_task(consumer.run())
        await eventually(consumer.settled, within=30)

        async def deliver(*events: Outgoing) -> None:
            for event in events:
                record = as_record(event, prefix + "customers", 0)
                await producer.send(record.topic, record.value, record.key, headers=list(record.headers))
            await producer.flush()
            sql = "SELECT count(*) = $2 FROM inbox WHERE event_id = ANY ($1::uuid[])"
            await eventually(lambda: run.pool.fetchval(sql, [e.id for e in events], len(events)), within=30)

        yield run, deliver
        polling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await polling
    await producer.stop()


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """How often each outcome came up in this module's histories."""
    return Counter()


@pytest.mark.parametrize("tour", TOURS)
async def test_service_and_reference_agree_on_histories_written_by_hand(shops, seen, tour):
    await Play(Credit(shops), shops.deliver, Ids(), seen).run(tour)


@given(history=histories())
@profile(usually=25)
async def test_service_and_reference_agree_one_by_one_and_at_once(shops, seen, history):
    ids = Ids()  # the same in both shops, where they name different things
    for rounds in (one_by_one(history), history):
        await Play(Credit(shops), shops.deliver, ids, seen).run(rounds)


async def test_what_happens_at_once_was_decided_in_batches(shops):
    of = {"batch": "authorize"}
    batches = REGISTRY.get_sample_value("langganan_batch_size_count", of) or 0
    alone = REGISTRY.get_sample_value("langganan_batch_size_bucket", of | {"le": "1.0"}) or 0
    assert batches - alone > 20


def test_every_outcome_of_the_contract_came_up(seen):
    assert outcomes.EXPECTED - set(seen) == set()


async def test_the_books_of_all_histories_add_up(shops):
    found = await run_audit(shops.pool, AUDIT)
    assert found.looked_at > 100
    assert found.differences == 0


@given(history=histories())
@profile(usually=4)
async def test_service_and_reference_agree_on_what_comes_through_kafka(behind_kafka, history):
    run, deliver = behind_kafka
    await Play(Credit(run), deliver, Ids(), Counter()).run(history)


def test_the_reference_shares_no_code_with_what_it_judges():
    """It imports the standard library and itself, and has no floating point."""
    for file in REFERENCE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Import(names=names):
                    modules = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module)):
                    modules = [module]
                case ast.Constant(value=float()) | ast.Div() | ast.Name(id="float"):
                    raise AssertionError(f"{file.name}:{node.lineno} is no integer")
                case _:
                    continue
            for module in modules:
                ours = module.startswith("tests.credit.reference")
                assert ours or module.split(".")[0] in sys.stdlib_module_names, (
                    f"{file.name} imports {module}"
                )
