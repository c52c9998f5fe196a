"""Looks for traces of people (names, phones in any form, e-mails, addresses) in all that a stack leaves."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from local.demo.people import Person
from local.http import get
from local.stack import Stack

# What stands between the digits of a phone as people write it.
_SEPARATORS = re.compile(rb"(?<=\d)[ .()/\-]{1,3}(?=\d)")
_SHORTEST = 6  # letters of a name below which a chance hit is likely


class Traces:
    """What would name some people, and where it is found."""

    def __init__(self, people: Iterable[Person]) -> None:
        words: set[bytes] = set()
        numbers: set[bytes] = set()
        for person in people:
            said = (person.name, person.email, person.address)
            words |= {text.lower().encode() for text in said if len(text) >= _SHORTEST}
            # Without +62, 62 or 0 before it, so that every way to dial it holds this.
            numbers.add(person.phone.removeprefix("+62").encode())
        assert len(words) >= 3
        assert len(numbers) >= 1
        self._words = re.compile(b"|".join(re.escape(word) for word in sorted(words)))
        self._numbers = re.compile(b"|".join(sorted(numbers)))

    def found_in(self, evidence: bytes) -> set[str]:
        """Return what of it stands in some bytes, however it is written."""
        hits = {hit.group().decode() for hit in self._words.finditer(evidence.lower())}
        joined = _SEPARATORS.sub(b"", evidence)
        return hits | {hit.group().decode() for hit in self._numbers.finditer(joined)}


async def evidence_of(stack: Stack) -> dict[str, bytes]:
    """Return all that a running stack holds or says outside of the mails themselves, by place."""
    found = {f"log {log.name}": log.read_bytes() for log in logs_of(stack)}
    for service, port in stack.http.items():
        status, body = await get(port, "/metrics")
        assert status == 200
        found[f"metrics {service}"] = body
    for database, url in stack.database_urls.items():
        async for table, rows in _rows(url):
            found[f"database {database}.{table}"] = rows
    async for place, records in _records(stack.kafka_bootstrap):
        found[place] = records
    return found


def logs_of(stack: Stack) -> Iterator[Path]:
    """Yield the logs of all processes, Postgres, Kafka and the mail sink included."""
    yield from sorted((stack.home / "logs").glob("*.log"))


async def _rows(url: str) -> Any:
    """Yield (table, rows) of a database, in the binary form in which texts and bytes stand as they are."""
    conn = await asyncpg.connect(url)
    try:
        tables = await conn.fetch(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
            "AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1"
        )
        for (table,) in tables:
            output = io.BytesIO()
            await conn.copy_from_query(f"SELECT * FROM {table}", output=output, format="binary")
            yield table, output.getvalue()
    finally:
        await conn.close()


async def _records(bootstrap: str) -> Any:
    """Yield (topic, every key, value and header of it) of all topics, the broker's own left out."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    described = await admin.describe_topics()
    await admin.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        for about in sorted(described, key=lambda about: str(about["topic"])):
            topic = about["topic"]
            if topic.startswith("__"):
                continue
            places = [TopicPartition(topic, part["partition"]) for part in about["partitions"]]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            parts: list[bytes] = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        parts += [record.key or b"", record.value or b""]
                        parts += [part for name, value in record.headers for part in (name.encode(), value)]
            yield f"kafka {topic}", b"\n".join(parts)
    finally:
        await consumer.stop()
