"""Nothing that names a person stays with notify, and nothing that a person is called can break a message."""

import logging
import subprocess
import sys
from typing import Any

import pytest
import structlog

from kit import logs
from kit.testing.eventually import eventually
from langganan.customers.v1 import contacts_pb2

FIELDS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]
NAME, MAIL, PHONE = "Zulkarnain Wirabuana", "zulkarnain.w@example.com", "+6281234567890"


async def everything_stored(pool: Any) -> str:
    """Return every row of every table as text."""
    tables = await pool.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    rows: list[str] = []
    for table in tables:
        found = await pool.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table['name']} AS t")
        rows += [row["row"] for row in found]
    # bytea shows as hex: payloads of events are looked through as the octets that they are.
    payloads = await pool.fetch("SELECT payload FROM outbox")
    return "\n".join(rows) + "".join(bytes(row["payload"]).decode("latin-1") for row in payloads)


async def test_no_name_address_or_text_is_stored(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    ways = [(contacts_pb2.CHANNEL_PHONE, PHONE), (contacts_pb2.CHANNEL_EMAIL, MAIL)]
    customer_id = notify.book.add(name=NAME, allowed=ways)
    notify.sink.answer_rcpt = f"451 {MAIL} is greylisted"
    await notify.run.deliver(purchase(customer_id, at))
    await notify.sweep()
    before = await everything_stored(notify.run.pool)
    notify.sink.answer_rcpt = "250 OK"
    await eventually(notify.sweep)
    assert NAME in notify.sink.taken[0][1].get_content()
    stored = before + await everything_stored(notify.run.pool)
    assert customer_id in stored
    for secret in (NAME, "Zulkarnain", MAIL, PHONE, "greylisted", "Terima kasih", "Toko Makmur"):
        assert secret not in stored


async def test_no_name_or_address_is_logged(
    notify: Any, purchase: Any, caplog: pytest.LogCaptureFixture
) -> None:
    at = notify.run.clock.now()
    caplog.set_level(logging.DEBUG)
    customer_id = notify.book.add(name=NAME, address=MAIL)
    notify.sink.answer_rcpt = f"550 {MAIL} is unknown"
    await notify.run.deliver(purchase(customer_id, at))
    with structlog.testing.capture_logs() as logged:
        await notify.sweep()
    # "mail.log" is the relay's own logger; it is not ours to keep silent.
    said = repr(logged) + "".join(r.getMessage() for r in caplog.records if r.name != "mail.log")
    assert "not_sent" in said
    for secret in (NAME, MAIL, "is unknown"):
        assert secret not in said


@pytest.mark.parametrize(
    "name",
    [
        "Budi\r\nBcc: thief@example.org",
        "Budi\nSubject: Menang undian",
        "Budi\r\n\r\n<script>alert(1)</script>",
        'Budi" <thief@example.org>, "x',
        "Budi\u2028Bcc: thief@example.org",
        "=?utf-8?q?Budi=0D=0ABcc:_thief=40example.org?=",
        "Budi\x00\x0b\x0c\x85",
        "{{ shop }}{% for i in range(10**9) %}x{% endfor %}",
        "Budi <thief@example.org>",
        "猫" * 150,
        "",
    ],
)
async def test_no_name_can_add_a_header_a_recipient_or_a_template(
    notify: Any, purchase: Any, name: str
) -> None:
    customer_id = notify.book.add(name=name, address="siti@example.com")
    sale = purchase(customer_id, notify.run.clock.now(), receipt_number="R\r\nBcc: a\n{{ name }}")
    await notify.run.deliver(sale)
    await notify.sweep()
    ((address, mail),) = notify.sink.taken
    assert address == "siti@example.com"
    assert mail.keys() == FIELDS
    assert [a.addr_spec for a in mail["To"].addresses] == ["siti@example.com"]
    assert mail["Subject"].startswith("Terima kasih atas pembelian Anda")
    assert not mail.is_multipart()
    assert mail.get_content().count("Halo ") == 1


def test_logs_of_the_service_are_redacted() -> None:
    assert MAIL not in logs.scrub(f"refused {MAIL}")


def test_serving_alone_loads_no_texts_and_no_mail() -> None:
    """The parts that only a worker needs are not in memory of a process that only answers."""
    code = (
        "import sys, notify.app, notify.messages.rpc\n"
        "heavy = [m for m in ('babel', 'minijinja', 'notify.messages.sweep') if m in sys.modules]\n"
        "print(*heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
