"""After a replay of the demo nothing names its people anywhere but in the vault, and there not in clear."""

import io
from dataclasses import replace
from typing import Any

import asyncpg
import grpc.aio
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console

from kit.testing import eventually
from langganan.customers.v1 import profiles_pb2
from local.demo.__main__ import STAGES, Run
from local.demo.gateway import Gateway
from local.demo.people import Directory, Person
from local.services import SERVICES
from local.settings import LocalSettings
from local.stack import Stack
from tests.system.collector import Collector, collecting
from tests.system.traces import Traces, evidence_of, logs_of


class Watched(Run):
    """The demo in small, every call logged and traced; at its end, while all still runs, all is searched.

    Then something is planted in each kind of place, and all is searched again: a search that finds nothing
    proves something only if it would have found that.
    """

    collector: Collector
    clean: dict[str, set[str]]
    planted: dict[str, set[str]]
    sizes: dict[str, int]

    async def _work(self, stack: Stack, gateway: Gateway, started: float) -> dict[str, Any]:
        report = await super()._work(stack, gateway, started)
        people = list(self._people.values())
        await call_carelessly(stack, people[0])
        await eventually(lambda: b"ContactService/GetContacts" in b"".join(self.collector.raw))
        traces = Traces(people)
        evidence = await self._evidence(stack)
        self.sizes = {place: len(content) for place, content in evidence.items()}
        self.clean = {place: traces.found_in(content) for place, content in evidence.items()}
        await plant(stack, people[0])
        self.collector.raw.append(people[0].name.encode())
        again = await self._evidence(stack)
        self.planted = {place: traces.found_in(content) for place, content in again.items()}
        return report

    async def _evidence(self, stack: Stack) -> dict[str, bytes]:
        return {**await evidence_of(stack), "spans": b"".join(self.collector.raw)}


async def call_carelessly(stack: Stack, person: Person) -> None:
    """Call as a gateway that names a person where ids belong, and be refused."""
    also = (
        ("x-request-id", person.phone),
        ("traceparent", person.phone),
        ("tracestate", f"a={person.email}"),
    )
    till = Gateway(stack.grpc, stack.token(), also=also)
    request = profiles_pb2.IdentifyRequest(phone=person.phone)  # without an origin
    with pytest.raises(grpc.aio.AioRpcError):
        await till.call("Identify", till.profiles.Identify, request)
    await till.close()


async def plant(stack: Stack, person: Person) -> None:
    """Let a careless service say a name on Kafka, keep a phone, seal nothing, and log an e-mail."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("planted", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
    await producer.start()
    await producer.send_and_wait("planted", b"{}", headers=[("for", person.name.upper().encode())])
    await producer.stop()
    for database, value in (("loyalty", as_dialled(person.phone)), ("vault", person.address)):
        conn = await asyncpg.connect(stack.database_urls[database])
        await conn.execute("CREATE TABLE planted (what bytea)")
        await conn.execute("INSERT INTO planted VALUES ($1)", value.encode())
        await conn.close()
    with next(logs_of(stack)).open("a") as log:
        log.write(f'{{"event": "sent", "to": "{person.phone}"}}\n')


def as_dialled(phone: str) -> str:
    """A phone as it is written on paper: 0812-3456-7890."""
    digits = "0" + phone.removeprefix("+62")
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


async def test_nothing_that_names_a_person_is_left_anywhere_but_sealed_in_the_vault(
    stack_settings: LocalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Watched(300, 11, STAGES[4], Console(file=io.StringIO()), days=14)
    async with collecting() as run.collector:
        for name in SERVICES:
            monkeypatch.setenv(f"{name.upper()}_OTLP_ENDPOINT", run.collector.endpoint)
            monkeypatch.setenv(f"{name.upper()}_LOG_CALLS", "all")
        await run.play(stack_settings)
    assert {place: found for place, found in run.clean.items() if found} == {}
    for place in ("kafka customers", "kafka loyalty", "kafka credit", "kafka notify"):
        assert run.sizes[place] > 0, f"{place} was not read"
    for place in ("log customers.log", "spans"):
        assert run.sizes[place] > 20_000, f"{place} was not read"
    for place in ("database vault.sealed_fields", "database customers.purchases", "database notify.messages"):
        assert run.sizes[place] > 1_000, f"{place} was not read"
    assert {place for place, found in run.planted.items() if found} == {
        "kafka planted",
        "database loyalty.planted",
        "database vault.planted",
        "spans",
        min(place for place in run.planted if place.startswith("log ")),
    }


SOMEONE = replace(
    Directory(1).person(1),
    name="Siti Rahayu",
    phone="+6281234567890",
    email="siti.1@pelanggan.example.com",
    address="Jalan Melati No. 7",
)


@pytest.mark.parametrize(
    "text",
    [
        "+6281234567890",
        "6281234567890",
        "081234567890",
        "0812-3456-7890",
        "+62 812 3456 7890",
        "(0812) 3456.7890",
        "phone=81234567890&x",
        "siti rahayu",
        "Hello SITI RAHAYU!",
        "SITI.1@pelanggan.example.com",
        "jalan melati no. 7",
    ],
)
def test_every_way_to_write_it_is_found(text: str) -> None:
    assert Traces([SOMEONE]).found_in(b"\x00\x01" + text.encode() + b"\xff")


@pytest.mark.parametrize("text", ["", "0812", "Siti", "1234567890", "81234567891", "customer 4X8R2K7M9Q3TB"])
def test_what_names_nobody_is_not(text: str) -> None:
    assert Traces([SOMEONE]).found_in(text.encode()) == set()
