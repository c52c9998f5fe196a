"""The parts that the services stand on: they start, fail in plain words, stop, and keep their data."""

import smtplib
import socket
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from kit.testing import eventually
from local.kafka import Kafka
from local.part import Part, PartFailed
from local.postgres import Postgres
from local.settings import LocalSettings
from local.stack import Stack


async def test_what_the_parts_hold_is_there_after_a_restart(stack_settings: LocalSettings) -> None:
    async with Stack(stack_settings, services=()) as stack:
        connection = await asyncpg.connect(stack.database_urls["credit"])
        await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        await connection.close()
        producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap)
        await producer.start()
        await producer.send_and_wait("customers", b"kept", partition=0)
        await producer.stop()
        send_mail(stack.ports.smtp, "<kept@x>")
        kept_token = stack.token()
    async with Stack(stack_settings, services=()) as stack:
        connection = await asyncpg.connect(stack.database_urls["credit"])
        assert await connection.fetchval("SELECT n FROM kept") == 7
        await connection.close()
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition("customers", 0)])
        assert (await consumer.getone()).value == b"kept"
        await consumer.stop()
        send_mail(stack.ports.smtp, "<second@x>")
        assert [mail.message_id for mail in stack.mail] == ["<kept@x>", "<second@x>"]
        assert [mail.text().strip() for mail in stack.mail.to("sari@example.id")] == ["Terima kasih"] * 2
        assert stack.token().split(".")[0] == kept_token.split(".")[0], "the signing key was made anew"


async def test_only_the_owner_of_a_database_gets_in(stack: Stack) -> None:
    owned = stack.database_urls["loyalty"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(owned.replace("/loyalty?", "/vault?"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(owned.replace("loyalty:", "vault:", 1))


def test_keys_are_readable_by_their_owner_alone(stack: Stack) -> None:
    folder = stack.keys.folder
    assert folder.stat().st_mode & 0o077 == 0
    for secret in ("signing.json", "postgres.json", "vault.key"):
        assert (folder / secret).stat().st_mode & 0o077 == 0, secret


PORTS: dict[str, Callable[[LocalSettings], int]] = {
    "Postgres": lambda settings: settings.ports.postgres,
    "Kafka": lambda settings: settings.ports.kafka,
    "The mail sink": lambda settings: settings.ports.smtp,
    "Credit (gRPC)": lambda settings: settings.ports.grpc["credit"],
}


@pytest.mark.parametrize("part", PORTS)
async def test_a_taken_port_is_named_with_its_part(part: str, stack_settings: LocalSettings) -> None:
    port = PORTS[part](stack_settings)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(
            PartFailed, match=f"^{part.replace('(', '.').replace(')', '.')} cannot start: port {port} "
        ):
            await Stack(stack_settings).start()


async def test_a_part_that_dies_is_named_and_the_rest_is_stopped(stack_settings: LocalSettings) -> None:
    async with Stack(stack_settings, services=()) as stack:
        pids = {name: part.pid for name, part in stack.parts.items()}
        assert len(pids) == 3
        psutil.Process(pids["kafka"]).kill()
        with pytest.raises(PartFailed, match=r"^Kafka was killed by SIGKILL; its log is ") as failure:
            await stack.watch()
        assert any("kafka.server" in line for line in failure.value.log_tail)
    assert all(pid is not None and gone(pid) for pid in pids.values())


async def test_an_external_postgres_and_kafka_are_one_setting_each(
    stack_settings: LocalSettings, postgres_server: Postgres, kafka_broker: Kafka
) -> None:
    external = stack_settings.model_copy(
        update={
            "postgres_url": postgres_server.url(),
            "kafka_bootstrap": kafka_broker.bootstrap,
            "prefix": "elsewhere_",
        }
    )
    async with Stack(external, services=()) as stack:
        assert list(stack.parts) == ["mail"]
        connection = await asyncpg.connect(stack.database_urls["vault"])
        assert await connection.fetchval("SELECT current_database()") == "elsewhere_vault"
        await connection.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)
        await admin.start()
        assert {"elsewhere_customers", "elsewhere_notify"} <= set(await admin.list_topics())
        await admin.close()


async def test_one_folder_serves_one_stack(stack: Stack) -> None:
    with pytest.raises(PartFailed, match="runs already from"):
        await Stack(stack.settings).start()


async def test_a_part_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from local.part import Part\n"
        f"part = Part('Sleeper', ['/bin/sleep', '600'], log=Path({str(tmp_path)!r}) / 'sleeper.log')\n"
        f"part.start(); Path({str(tmp_path)!r}, 'pid').write_text(str(part.pid)); time.sleep(600)"
    )
    parent = Part("Parent", [sys.executable, "-c", script], log=tmp_path / "parent.log", cwd=Path.cwd())
    parent.start()
    pid = int(await eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    parent.kill()
    await eventually(lambda: gone(pid))


def send_mail(port: int, message_id: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "toko@example.id", "sari@example.id", "Terima kasih"
    message["Message-ID"] = message_id
    message.set_content("Terima kasih")
    with smtplib.SMTP("127.0.0.1", port) as connection:
        connection.send_message(message)


def gone(pid: int) -> bool:
    """Whether a process has ended, though perhaps nobody has asked for its exit code yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
