"""Kafka by mutual TLS: every client of ours shows its certificate, and reads it again for new connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from kit import renewed
from kit.broker import Broker
from kit.errors import Unavailable
from kit.events import Outgoing, Relay, topics
from kit.events.rewind import rewind
from kit.settings import ServiceSettings
from kit.testing import eventually
from local.kafka import Kafka
from local.part import free_port
from tests.kit.certificates import Secret

Event = Callable[..., Outgoing]
TOPICS = [topics.TopicSpec("customers", 2), topics.TopicSpec("loyalty", 2)]


@pytest.fixture
def authority() -> trustme.CA:
    """Who signs for the broker and its clients, as Strimzi's cluster and clients CA do."""
    return trustme.CA()


@pytest.fixture
async def secure_port(parts_home: Path, authority: trustme.CA) -> AsyncIterator[int]:
    """The port of a broker that asks each client for its certificate; its plaintext one is for itself."""
    home = parts_home / "kafka-tls"
    own = Secret(home / "certificates", authority)
    (home / "broker.pem").write_bytes(own.key.read_bytes() + own.cert.read_bytes())
    plain, secure, controller = free_port(), free_port(), free_port()
    listeners = f"PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}"
    properties = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
        "ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(home / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(own.ca),
    }
    broker = Kafka(home, plain, controller, parts_home / "kafka-tls.log", properties=properties)
    await asyncio.to_thread(broker.prepare)
    broker.start()
    await asyncio.to_thread(broker.wait_ready)
    yield secure
    await asyncio.to_thread(broker.stop)


def broker_of(port: int, **files: Path) -> Broker:
    """As the settings of a service say it."""
    settings = ServiceSettings(database_url="", kafka_bootstrap=f"127.0.0.1:{port}", **files)
    return Broker.of(settings)


async def test_events_travel_by_mutual_tls_and_nobody_without_a_certificate_is_let_in(
    shop,
    event: Event,
    secure_port: int,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(renewed, "LOOK_EVERY_S", 0.0)
    user = Secret(tmp_path / "user", authority)
    ours = broker_of(secure_port, kafka_ca_file=user.ca, kafka_cert_file=user.cert, kafka_key_file=user.key)
    assert sorted(await topics.ensure(ours, TOPICS)) == ["customers", "loyalty"]

    relay = shop.start(Relay(dsn=shop.url, broker=ours).run())
    consumer = shop.consumer(broker=ours)
    run = shop.start(consumer.run())
    await shop.publish(event("first"))
    await eventually(lambda: _settled(shop, consumer, 1), within=20)
    await shop.stop(relay, run)

    for refused in (
        broker_of(secure_port),
        broker_of(secure_port, kafka_ca_file=user.ca),
    ):
        with pytest.raises(Unavailable):
            await topics.ensure(refused, TOPICS)

    # Another authority's certificate in the same files: the clients that are made now show it, in vain.
    user.renew(trustme.CA())
    with pytest.raises(Unavailable):
        await topics.ensure(ours, TOPICS)
    user.renew(authority)
    places = await rewind(ours, "shop", ["customers"], datetime(2026, 1, 1, tzinfo=UTC))
    assert len(places) == 2
    again = shop.consumer(broker=ours)
    shop.start(again.run())
    shop.start(Relay(dsn=shop.url, broker=ours).run())
    await shop.publish(event("second"))
    await eventually(lambda: _settled(shop, again, 2), within=20)
    assert await shop.effects() == ["first", "second"]


async def _settled(shop, consumer, count: int) -> bool:
    return len(await shop.effects()) == count and await consumer.settled()
