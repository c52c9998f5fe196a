"""The real parts that the tests share: one Postgres and one Kafka broker a session, both on free ports."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.kafka import Kafka
from local.part import free_port
from local.postgres import Postgres


@pytest.fixture(scope="session")
def parts_home() -> Iterator[Path]:
    """A folder for the data of this session's parts; several sessions may run side by side."""
    home = Path(tempfile.mkdtemp(prefix="langganan-test-"))
    yield home
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres_server(parts_home: Path) -> Iterator[Postgres]:
    """The session's Postgres; what it loses when the machine fails, no test asks for, so no fsync."""
    server = Postgres(parts_home / "postgres", free_port(), parts_home / "postgres.log", fsync=False)
    server.prepare()
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """The superuser's address of the session's Postgres."""
    return postgres_server.url()


@pytest.fixture(scope="session")
def kafka_broker(parts_home: Path) -> Iterator[Kafka]:
    """The session's Kafka broker, started when the first test asks for it."""
    broker = Kafka(parts_home / "kafka", free_port(), free_port(), parts_home / "kafka.log")
    broker.prepare()
    broker.start()
    try:
        broker.wait_ready()
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: Kafka) -> str:
    """Where clients of the session's Kafka connect first."""
    return kafka_broker.bootstrap
