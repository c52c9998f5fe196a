"""The built-in channels keep the contract that the kit of plugins ships, and a few promises of their own."""

import asyncio
import io
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kit import plugins
from kit.errors import FailedPrecondition, InvalidArgument
from notify.app import channels_of
from notify.channels.console import ConsoleChannel, ConsoleConfig
from notify.channels.contract import Arrived, Bench, ChannelContract
from notify.channels.plugin import (
    CONTRACT,
    GROUP,
    AddressRefused,
    Busy,
    MessageRefused,
    NotSent,
    Outbound,
    Unreachable,
)
from notify.channels.smtp import EmailChannel, EmailConfig
from notify.settings import Settings


def outbound(number: int, way: str = "email", **more: Any) -> Outbound:
    values: dict[str, Any] = {
        "key": f"00000000-0000-4000-8000-{number:012}.abcdef01",
        "way": way,
        "address": f"person{number}@example.com",
        "name": "Siti Rahayu",
        "shop": "Toko Makmur",
        "subject": "Halo",
        "body": "Terima kasih.\nSampai jumpa.\n",
        "language": "id",
    }
    return Outbound(**(values | more))


class EmailBench(Bench):
    """The e-mail channel beside a real SMTP server."""

    def __init__(self, sink: Any, **more: Any) -> None:
        super().__init__(EmailChannel(EmailConfig(**sink.config(**more))))
        self.sink = sink

    def example(self, number: int) -> Outbound:
        return outbound(number)

    def arrived(self) -> list[Arrived]:
        return [
            Arrived(
                address=address,
                key=mail["Message-ID"],
                text=mail.get_content(),
                fields=frozenset(mail.keys()) | {str(len(mail["To"].addresses))},
            )
            for address, mail in self.sink.taken
        ]

    def refuse(self, yes: bool) -> bool:
        self.sink.answer_rcpt = "550 person1@example.com is unknown" if yes else "250 OK"
        return True

    async def down(self, yes: bool) -> bool:
        await (self.sink.stop() if yes else self.sink.start())
        return True

    def hang(self, yes: bool) -> bool:
        (self.sink.answers.clear if yes else self.sink.answers.set)()
        return True


class TestEmailContract(ChannelContract):
    @pytest.fixture(autouse=True)
    def _relay(self, sink: Any) -> None:
        self.sink = sink

    @asynccontextmanager
    async def bench(self) -> AsyncIterator[Bench]:
        made = EmailBench(self.sink, connections=3)
        yield made
        await made.channel.close()


class ConsoleBench(Bench):
    """The console channel beside a stream."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(ConsoleChannel(ConsoleConfig(show_text=True), self.stream))

    def example(self, number: int) -> Outbound:
        return outbound(number, way="whatsapp", address=f"+62812345678{number:02}")

    def arrived(self) -> list[Arrived]:
        found = []
        for block in self.stream.getvalue().split("-- message ")[1:]:
            head, _, text = block.partition("\n\n")
            key = head.split(" ", 1)[0]
            address = re.search(r"'([^']*)'$", head.split("\n")[1])
            assert address is not None
            fields = frozenset(line.split(":")[0] for line in head.split("\n")[1:])
            found.append(Arrived(address[1], key, text, fields))
        return found


class TestConsoleContract(ChannelContract):
    @asynccontextmanager
    async def bench(self) -> AsyncIterator[Bench]:
        yield ConsoleBench()


async def test_the_console_names_nobody_unless_asked_to() -> None:
    stream = io.StringIO()
    await ConsoleChannel(ConsoleConfig(show_text=False), stream).send(outbound(1))
    assert outbound(1).key in stream.getvalue()
    for secret in ("person1", "Siti", "Terima"):
        assert secret not in stream.getvalue()


def test_the_built_in_channels_register_as_any_other() -> None:
    assert {"email", "console"} <= plugins.load(GROUP, CONTRACT).keys()


def test_a_channel_that_is_not_installed_stops_the_start_by_its_name() -> None:
    with pytest.raises(FailedPrecondition, match="pigeon"):
        channels_of(Settings(database_url="", channels={"pigeon": {}}))


def test_a_service_without_any_channel_does_not_start() -> None:
    with pytest.raises(FailedPrecondition, match="NOTIFY_CHANNELS"):
        channels_of(Settings(database_url="", channels={}))


@pytest.mark.parametrize(
    "config", [{"prot": 25}, {"sender": "no address"}, {"sender": "a@b\r\nc"}, {"message_id_domain": "a b"}]
)
def test_a_wrong_configuration_stops_the_start_with_its_fault(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="configuration of plugin 'email'"):
        channels_of(Settings(database_url="", channels={"email": config}))


@pytest.mark.parametrize(
    ("rcpt", "data", "expected"),
    [
        ("550 no", "250 OK", AddressRefused),
        ("450 no", "250 OK", Busy),
        ("250 OK", "554 no", MessageRefused),
        ("250 OK", "452 no", Busy),
    ],
)
async def test_the_relays_codes_have_their_meaning(
    sink: Any, rcpt: str, data: str, expected: type[NotSent]
) -> None:
    sink.answer_rcpt, sink.answer_data = rcpt, data
    channel = EmailChannel(EmailConfig(**sink.config()))
    with pytest.raises(expected):
        await channel.send(outbound(1))
    sink.answer_rcpt = sink.answer_data = "250 OK"
    await channel.send(outbound(2))
    assert sink.sessions == 1
    await channel.close()


async def test_connections_are_kept_and_renewed_after_their_share(sink: Any) -> None:
    channel = EmailChannel(EmailConfig(**sink.config(connections=1, per_connection=10)))
    for number in range(25):
        await channel.send(outbound(number))
    assert (len(sink.taken), sink.sessions) == (25, 3)
    await channel.close()


async def test_a_connection_dropped_while_idle_costs_no_message(sink: Any) -> None:
    channel = EmailChannel(EmailConfig(**sink.config(connections=1)))
    await channel.send(outbound(1))
    await sink.stop()
    await sink.start()
    await channel.send(outbound(2))
    assert len(sink.taken) == 2
    await channel.close()


async def test_a_relay_without_tls_gets_nothing_where_tls_is_wanted(sink: Any) -> None:
    channel = EmailChannel(EmailConfig(**sink.config(tls="starttls")))
    with pytest.raises(NotSent):
        await channel.send(outbound(1))
    assert sink.taken == []
    await channel.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that only who has its file trusts, and a server's context with it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return folder / "ca.pem", context


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """Let in who knows the password."""
    known = (data.login, data.password) == (b"toko", b"rahasia")
    return AuthResult(success=known, handled=False)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_travels_encrypted_to_a_relay_that_is_who_it_says(
    sink: Any, certificate: tuple[Path, ssl.SSLContext], tls: str
) -> None:
    ca, context = certificate
    await sink.stop()
    if tls == "starttls":
        sink.smtp = {"tls_context": context, "require_starttls": True}
    else:
        sink.tls_from_the_start = context
    await sink.start()
    config = sink.config(tls=tls, host="localhost")
    trusting, distrusting = (
        EmailChannel(EmailConfig(**config, ca_file=ca)),
        EmailChannel(EmailConfig(**config)),
    )
    await trusting.send(outbound(1))
    with pytest.raises(Unreachable):
        await distrusting.send(outbound(2))
    assert len(sink.taken) == 1
    await trusting.close()


async def test_the_password_is_read_from_its_file_at_each_login(
    sink: Any, certificate: tuple[Path, ssl.SSLContext], tmp_path: Path
) -> None:
    ca, context = certificate
    await sink.stop()
    sink.smtp = {"authenticator": authenticate, "auth_required": True}
    sink.smtp |= {"tls_context": context, "require_starttls": True}
    await sink.start()
    password = tmp_path / "password"
    config = sink.config(
        tls="starttls", host="localhost", username="toko", password_file=password, ca_file=ca
    )
    channel = EmailChannel(EmailConfig(**config))
    password.write_text("salah\n")
    with pytest.raises(NotSent):
        await channel.send(outbound(1))
    password.write_text("rahasia\n")
    await channel.send(outbound(2))
    assert len(sink.taken) == 1
    await channel.close()


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "@b", "a b@c.d", "a@b@c.d", "<a@b.c>", "a@b.c\r\nx", "ü@b.c"]
)
async def test_what_is_no_mailbox_is_refused_before_the_relay_hears_of_it(sink: Any, address: str) -> None:
    channel = EmailChannel(EmailConfig(**sink.config()))
    with pytest.raises(AddressRefused):
        await channel.send(outbound(1, address=address))
    assert sink.sessions == 0


async def test_a_domain_in_any_script_is_reached(sink: Any) -> None:
    channel = EmailChannel(EmailConfig(**sink.config()))
    await channel.send(outbound(1, address="info@bücher.example"))
    assert [address for address, _ in sink.taken] == ["info@xn--bcher-kva.example"]
    await channel.close()


async def test_concurrency_stays_within_the_connections(sink: Any) -> None:
    channel = EmailChannel(EmailConfig(**sink.config(connections=2)))
    await asyncio.gather(*(channel.send(outbound(n)) for n in range(20)))
    assert (len(sink.taken), sink.sessions) == (20, 2)
    await channel.close()
