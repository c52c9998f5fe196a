"""The small tools of the one-machine stack: tokens, the clock, the mailbox, what is settled."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit.auth import Verifier
from kit.errors import Unauthenticated
from local.clock import StackClock
from local.http import wait_settled
from local.mailsink import Mailbox, mail_path
from local.services import SERVICES, Surroundings, environment
from local.settings import LocalSettings
from local.tokens import AUDIENCE, CLUSTER_ISSUER, Keys, all_scopes, service_subject

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_till_gets_every_scope_but_those_between_services(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    caller = Verifier([keys.jwks], AUDIENCE).verify(f"Bearer {keys.till('toko', all_scopes())}", None)
    assert caller.merchant_id == "toko"
    assert "credit.holds.write" in caller.scopes
    assert not [scope for scope in caller.scopes if scope.endswith(".internal")]


def test_a_service_has_the_scopes_that_settings_give_its_subject(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    verifier = Verifier(
        [keys.jwks],
        AUDIENCE,
        cluster_issuer=CLUSTER_ISSUER,
        cluster_jwks_files=[keys.cluster_jwks],
        service_scopes={service_subject("notify"): ["customers.contacts.internal"]},
    )
    token = keys.service("notify", hours=1).read_text()
    assert verifier.verify(f"Bearer {token}", "toko").scopes == {"customers.contacts.internal"}
    stranger = keys.service("credit", hours=1).read_text()
    assert verifier.verify(f"Bearer {stranger}", "toko").scopes == frozenset()


def test_a_token_ends(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    with pytest.raises(Unauthenticated, match="expired"):
        Verifier([keys.jwks], AUDIENCE).verify(f"Bearer {keys.till('toko', [], hours=-1)}", None)


def test_only_customers_is_told_the_way_into_the_vault(tmp_path: Path) -> None:
    urls = {name: f"postgresql://{name}@127.0.0.1/{name}" for name in (*SERVICES, "vault")}
    around = Surroundings(urls, "127.0.0.1:1", tmp_path / "clock", Keys(tmp_path / "keys"))
    told = {name: json.dumps(environment(name, LocalSettings(), around)) for name in SERVICES}
    assert [name for name in SERVICES if urls["vault"] in told[name]] == ["customers"]
    assert [name for name in SERVICES if "vault.key" in told[name]] == ["customers"]


def test_the_clock_only_moves_forward(tmp_path: Path) -> None:
    clock = StackClock(tmp_path / "clock", NOON)
    clock.move(NOON + timedelta(days=1))
    clock.move(NOON)
    assert clock.now() == NOON + timedelta(days=1)
    assert StackClock(tmp_path / "clock").now() == NOON + timedelta(days=1), "a restart set it back"


def test_a_mail_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    box = Mailbox(tmp_path)
    assert (box.count(), list(box)) == (0, [])
    (tmp_path / "index.tsv").write_text("1\t<a@x>\tsari@example.id,budi@example.id\n2\t<b@")
    assert [mail.message_id for mail in box] == ["<a@x>"]
    assert [mail.path for mail in box.to("budi@example.id")] == [mail_path(tmp_path, 1)]


@asynccontextmanager
async def worker(answers: Iterator[tuple[int, str]]):  # type: ignore[no-untyped-def]
    """A health page that gives these answers in turn."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status, body = next(answers)
        writer.write(f"HTTP/1.0 {status} X\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_settled_is_believed_only_when_nothing_moved_between_two_rounds() -> None:
    answers = iter([(200, "1"), (200, "2"), (503, "busy"), (200, "3"), (200, "3"), (200, "never asked")])
    async with worker(answers) as port:
        await wait_settled({"loyalty": port}, seconds=5, pause=0)
    assert next(answers) == (200, "never asked")


async def test_who_does_not_settle_is_named() -> None:
    async with worker(iter(lambda: (503, "outbox not empty"), None)) as port:
        with pytest.raises(TimeoutError, match=r"loyalty.*outbox not empty"):
            await wait_settled({"loyalty": port}, seconds=0.2, pause=0.01)
