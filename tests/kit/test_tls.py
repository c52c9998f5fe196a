"""gRPC by TLS: certificates and authorities are renewed while everything serves; probes need none."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
import trustme
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit import renewed
from kit.rpc import build_server
from kit.rpc.health import LIVE, Health
from kit.rpc.line import Line
from kit.settings import ServiceSettings
from kit.testing import eventually
from local.part import free_port
from tests.kit.certificates import Secret

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(autouse=True)
def looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewed, "LOOK_EVERY_S", 0.0)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secret(tmp_path: Path, authority: trustme.CA) -> Secret:
    return Secret(tmp_path / "server", authority)


@pytest.fixture
async def port(secret: Secret) -> AsyncIterator[int]:
    """A server of nothing but its health, by TLS."""
    settings = ServiceSettings(database_url="", grpc_tls_cert_file=secret.cert, grpc_tls_key_file=secret.key)
    built = await build_server(settings, [])
    await built.server.start()
    await built.say(serving=True)
    yield built.port
    await built.stop(None)


async def check(channel: grpc.aio.Channel, service: str = "") -> int:
    """Ask for the health of a service; returns the status."""
    request = health_pb2.HealthCheckRequest(service=service)
    return (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)).status


async def shown(port: int) -> int:
    """The serial number of the certificate that a new connection is shown."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def serial(secret: Secret) -> int:
    return x509.load_pem_x509_certificate(secret.cert.read_bytes()).serial_number


def line(port: int, ca_file: Path) -> Line:
    return Line(f"localhost:{port}", ServiceSettings(database_url="", peers_ca_file=ca_file), 5.0)


async def test_a_renewed_certificate_is_shown_while_serving_and_a_broken_one_never(
    secret: Secret, authority: trustme.CA, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = line(port, secret.ca)
    assert await check(old.channel) == SERVING
    assert await shown(port) == serial(secret)

    secret.renew(authority)
    assert await shown(port) == serial(secret), "the next connection sees it"
    good = serial(secret)

    whole = secret.cert.read_bytes()
    secret.cert.write_bytes(whole[: len(whole) // 2])
    assert await shown(port) == good, "half a file"
    other = Secret(tmp_path / "other", authority)
    secret.cert.write_bytes(other.cert.read_bytes())
    assert await shown(port) == good, "another key's certificate"
    secret.key.unlink()
    assert await shown(port) == good, "no key"
    said = capsys.readouterr().out
    assert said.count("files_unusable") == 3, said
    assert "PRIVATE KEY" not in said

    secret.renew(authority)
    assert await shown(port) == serial(secret) != good
    assert await check(old.channel) == SERVING, "who was connected noticed nothing"
    await old.close()


async def test_a_line_trusts_whom_its_file_names_also_when_that_changes(
    secret: Secret, authority: trustme.CA, port: int, tmp_path: Path
) -> None:
    trusted = tmp_path / "peers.crt"
    trusted.write_bytes(secret.ca.read_bytes())
    ours = line(port, trusted)
    assert await check(ours.channel) == SERVING

    secret.renew(trustme.CA())  # by an authority that the file does not name yet
    stranger = line(port, trusted)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await check(stranger.channel)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    await stranger.close()

    trusted.write_bytes(secret.ca.read_bytes()[:300])
    assert await check(ours.channel) == SERVING, "half a file leaves the connection that there is"
    trusted.write_bytes(secret.ca.read_bytes())
    assert await check(ours.channel) == SERVING, "the next call takes a channel that trusts it"
    await ours.close()


async def test_who_speaks_no_tls_is_not_answered(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await check(channel)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_the_port_for_probes_has_health_alone() -> None:
    state = Health()
    await state.begin("127.0.0.1", free_port())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{state.port}") as channel:
        assert await check(channel) == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await check(channel, LIVE) == SERVING
        await state.say(True, ["langganan.notify.v1.MessageService"])
        assert await check(channel, "langganan.notify.v1.MessageService") == SERVING
        for other in ("grpc.reflection.v1alpha.ServerReflection", "langganan.notify.v1.MessageService"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(f"/{other}/GetMessage")(b"", timeout=5)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(OSError, match="HEALTH_PORT"):
        await Health().begin("127.0.0.1", state.port)
    await state.end()


@pytest.mark.parametrize(
    "given",
    [
        {"grpc_tls_cert_file": "tls.crt"},
        {"grpc_tls_key_file": "tls.key"},
        {"kafka_ca_file": "ca.crt", "kafka_cert_file": "user.crt"},
        {"kafka_cert_file": "user.crt", "kafka_key_file": "user.key"},
    ],
)
def test_half_of_what_belongs_together_is_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"set together|needs KAFKA_CA_FILE"):
        ServiceSettings(database_url="", **given)


async def test_a_certificate_that_cannot_be_read_stops_the_start(secret: Secret) -> None:
    secret.cert.write_bytes(b"nonsense")
    settings = ServiceSettings(database_url="", grpc_tls_cert_file=secret.cert, grpc_tls_key_file=secret.key)
    with pytest.raises(ValueError):
        await build_server(settings, [])


async def test_a_token_file_is_read_at_each_call(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    calling = Line("localhost:1", ServiceSettings(database_url="", token_file=token), 1.0)
    assert ("authorization", "Bearer first") in calling.metadata("toko")
    token.write_text("second\n")
    assert ("authorization", "Bearer second") in calling.metadata("toko")
    await eventually(calling.channel.get_state)
    await calling.close()
