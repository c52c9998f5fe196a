"""The server from outside: tokens, scopes, rules of the proto, deadlines, limits, error details."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from kit import auth, metrics
from kit.errors import NotFound, ResourceExhausted
from kit.rpc import build_server, validation
from kit.rpc.server import scopes_of
from kit.settings import ServiceSettings
from kit.testing import Keys, error_info, eventually
from langganan.events.v1.purchases_pb2 import PurchaseCompleted
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from langganan.types.v1 import line_pb2, tender_pb2

GET = "/langganan.notify.v1.MessageService/GetMessage"
SCOPE = scopes_of("langganan.notify.v1.MessageService")[GET]
ID = "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b"


class Messages(messages_pb2_grpc.MessageServiceServicer):
    """Answers GetMessage as each test needs it."""

    def __init__(self) -> None:
        self.callers: list[auth.Caller] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def GetMessage(self, request: Any, context: Any) -> Any:
        """Note the caller; fail or wait where a test says so."""
        self.callers.append(auth.caller())
        if self.error is not None:
            raise self.error
        if request.message_id.startswith("ffffffff"):
            await self.gate.wait()
        return messages_pb2.GetMessageResponse()


class Till:
    """One server and a way to call it."""

    def __init__(self, servicer: Messages, channel: grpc.aio.Channel, keys: Keys) -> None:
        self.servicer, self.channel, self.keys = servicer, channel, keys
        self._stub = messages_pb2_grpc.MessageServiceStub(channel)

    async def get(self, id_: str = ID, timeout: float = 5, **metadata: str) -> Any:
        """Call GetMessage with a good token unless `authorization` is given."""
        metadata.setdefault("authorization", f"Bearer {self.keys.token(scopes=SCOPE)}")
        pairs = tuple((k.replace("_", "-"), v) for k, v in metadata.items() if v)
        return await self._stub.GetMessage(
            messages_pb2.GetMessageRequest(message_id=id_), metadata=pairs, timeout=timeout
        )

    async def refusal(self, **arguments: Any) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
        """Return (code, reason, rich status) of a call that must fail."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.get(**arguments)
        trailing = {str(k): v for k, v in caught.value.trailing_metadata()}
        status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        return caught.value.code(), info.reason, status


@pytest.fixture
def cluster_keys(tmp_path: Path) -> Keys:
    """The keys that sign for services, and for nobody else."""
    return Keys(tmp_path / "cluster")


@pytest.fixture
async def till(keys: Keys, cluster_keys: Keys) -> AsyncIterator[Till]:
    settings = ServiceSettings(
        database_url="unused",
        jwks_files=[keys.jwks],
        max_in_flight=2,
        max_message_bytes=1_000_000,
        cluster_issuer="cluster",
        cluster_jwks_files=[cluster_keys.jwks],
        service_scopes={"system:serviceaccount:customers": [SCOPE]},
    )
    servicer = Messages()
    built = await build_server(settings, [(messages_pb2_grpc.add_MessageServiceServicer_to_server, servicer)])
    await built.server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{built.port}") as channel:
        yield Till(servicer, channel, keys)
    servicer.gate.set()
    await built.server.stop(None)


async def test_a_good_token_reaches_the_servicer_with_its_merchant(till: Till) -> None:
    await till.get(accept_language="en-GB")
    (who,) = till.servicer.callers
    assert (who.merchant_id, who.subject, who.language) == ("toko", "till-1", "en")


async def test_each_wrong_token_is_refused_with_its_reason(
    till: Till, cluster_keys: Keys, tmp_path: Path
) -> None:
    other = Keys(tmp_path)
    good = {"scopes": SCOPE}
    cases = {
        "TOKEN_MISSING": "Basic x",
        "TOKEN_INVALID": f"Bearer {other.token(**good)}",
        "TOKEN_EXPIRED": f"Bearer {till.keys.token(**good, expires_in=-120)}",
        "TOKEN_WRONG_AUDIENCE": f"Bearer {till.keys.token(**good, audience='other')}",
        "MISSING_SCOPE": f"Bearer {till.keys.token(scopes='something.else')}",
        "MERCHANT_MISSING": f"Bearer {cluster_keys.token(merchant=None, issuer='cluster', subject='s')}",
    }
    for expected, authorization in cases.items():
        code, reason, _ = await till.refusal(authorization=authorization)
        assert reason == expected
        assert code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
    assert till.servicer.callers == []


async def test_only_a_service_may_name_the_merchant(till: Till, cluster_keys: Keys) -> None:
    _, reason, _ = await till.refusal(langganan_merchant="other")
    assert reason == "MERCHANT_NOT_ALLOWED"
    claims = {"merchant": None, "issuer": "cluster", "subject": "system:serviceaccount:customers"}
    token = cluster_keys.token(**claims)
    await till.get(authorization=f"Bearer {token}", langganan_merchant="warung")
    assert till.servicer.callers[-1].merchant_id == "warung"
    assert till.servicer.callers[-1].is_service


async def test_who_signs_for_tills_cannot_sign_for_the_cluster(till: Till, cluster_keys: Keys) -> None:
    forged = till.keys.token(merchant=None, issuer="cluster", subject="system:serviceaccount:customers")
    _, reason, _ = await till.refusal(authorization=f"Bearer {forged}", langganan_merchant="warung")
    assert reason == "TOKEN_INVALID"
    lent = cluster_keys.token(scopes=SCOPE)
    _, reason, _ = await till.refusal(authorization=f"Bearer {lent}")
    assert reason == "TOKEN_INVALID"


async def test_a_long_wait_is_told_and_not_waited_for_by_the_client(till: Till) -> None:
    later = ResourceExhausted("later")
    later.retry_after = 600
    till.servicer.error = later
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await till.get()
    assert ("grpc-retry-pushback-ms", "-1") in [(k, v) for k, v in caught.value.trailing_metadata()]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ReadOnlySQLTransactionError("a standby"),
        asyncpg.DiskFullError("full"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.IdleInTransactionSessionTimeoutError("25P03"),
        ConnectionResetError("gone"),
    ],
)
async def test_a_database_that_cannot_is_unavailable_so_that_a_till_repeats(
    till: Till, error: Exception
) -> None:
    till.servicer.error = error
    code, reason, _ = await till.refusal()
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")


async def test_a_new_key_is_read_while_running_and_a_torn_file_is_not(tmp_path: Path) -> None:
    old, new = Keys(tmp_path / "old"), Keys(tmp_path / "new")
    verifier = auth.Verifier([old.jwks], "langganan")
    assert verifier.verify(f"Bearer {old.token()}", None).merchant_id == "toko"
    old.jwks.write_text('{"keys": [')
    await eventually(lambda: verifier.verify(f"Bearer {old.token()}", None), within=2)
    old.jwks.write_text(new.jwks.read_text())

    def knows_the_new_key_alone() -> bool:
        try:
            verifier.verify(f"Bearer {new.token()}", None)
        except auth.Unauthenticated:
            return False
        return True

    assert await eventually(knows_the_new_key_alone, within=5)
    with pytest.raises(auth.Unauthenticated):
        verifier.verify(f"Bearer {old.token(subject='another')}", None)


async def test_a_request_that_breaks_a_rule_names_the_field(till: Till) -> None:
    code, reason, status = await till.refusal(id_="no uuid")
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert "message_id" in status.message
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    assert bad.field_violations[0].field == "message_id"


async def test_a_text_with_a_nul_is_refused_before_it_can_park_a_customer(till: Till) -> None:
    lines = [line_pb2.Line(line_id="1", categories=["rice", "a\0b"]), line_pb2.Line(line_id="2\0")]
    sale = PurchaseCompleted(lines=lines, tenders=[tender_pb2.Tender(tender_id="1", cash={})])
    assert validation._may_hold_nul(sale)
    assert list(validation._with_nul(sale)) == ["lines[0].categories[1]", "lines[1].line_id"]
    code, reason, status = await till.refusal(id_="\0")
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert "message_id: must not hold the character NUL" in status.message


def test_an_empty_message_and_a_backslash_are_no_nul() -> None:
    sale = PurchaseCompleted(store_id="\\000", tenders=[tender_pb2.Tender(cash={})])
    assert not list(validation._with_nul(sale))


async def test_a_domain_error_keeps_its_reason_and_its_facts(till: Till) -> None:
    till.servicer.error = NotFound("there is no such message; list them", reason="NO_SUCH", id="7")
    code, reason, status = await till.refusal()
    assert (code, reason, status.message) == (
        grpc.StatusCode.NOT_FOUND,
        "NO_SUCH",
        "there is no such message; list them",
    )
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert dict(info.metadata) == {"id": "7"}


async def test_a_fault_of_ours_says_nothing_of_its_inside(till: Till) -> None:
    till.servicer.error = RuntimeError("secret detail")
    code, _, status = await till.refusal()
    assert code == grpc.StatusCode.INTERNAL
    assert "secret" not in status.message


async def test_over_the_limit_a_call_is_told_when_to_come_again(till: Till) -> None:
    held = [asyncio.ensure_future(till.get(id_="ffffffff" + ID[8:])) for _ in range(2)]
    await eventually(lambda: len(till.servicer.callers) == 2)
    code, reason, status = await till.refusal()
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_IN_FLIGHT")
    retry = error_details_pb2.RetryInfo()
    assert _find(status.details, retry)
    assert retry.retry_delay.ToMilliseconds() > 0
    health = health_pb2_grpc.HealthStub(till.channel)
    assert await health.Check(health_pb2.HealthCheckRequest()), "health is not limited"
    till.servicer.gate.set()
    await asyncio.gather(*held)


def _find(details: Any, message: Any) -> bool:
    return any(detail.Unpack(message) for detail in details)


async def test_retry_pushback_is_sent_beside_the_status(till: Till) -> None:
    till.servicer.error = ResourceExhausted("later")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await till.get()
    assert ("grpc-retry-pushback-ms", "1000") in [(k, v) for k, v in caught.value.trailing_metadata()]


async def test_calls_are_counted_under_the_names_that_dashboards_know(till: Till) -> None:
    labels = ("langganan.notify.v1.MessageService", "GetMessage")
    before = metrics.GRPC_HANDLED.labels(*labels, "NotFound")._value.get()
    till.servicer.error = NotFound("none")
    await till.refusal()
    assert metrics.GRPC_HANDLED.labels(*labels, "NotFound")._value.get() == before + 1


async def test_reflection_lists_the_service_without_a_token(till: Till) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(till.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for reply in stub.ServerReflectionInfo(iter([request])):
        names = [s.name for s in reply.list_services_response.service]
        assert "langganan.notify.v1.MessageService" in names
        break


async def test_a_request_larger_than_the_limit_is_refused_before_it_is_read(till: Till) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await till.get(id_="x" * 1_000_001)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert till.servicer.callers == []
    await till.get()


async def test_metadata_without_end_is_refused_and_the_server_goes_on(till: Till) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await till.get(authorization="Bearer " + "x" * 200_000)
    assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    assert till.servicer.callers == []
    await till.get()


async def test_what_decides_who_calls_is_believed_once_or_not_at_all(till: Till, cluster_keys: Keys) -> None:
    stub = messages_pb2_grpc.MessageServiceStub(till.channel)
    good = f"Bearer {till.keys.token(scopes=SCOPE)}"
    claims = {"merchant": None, "issuer": "cluster", "subject": "system:serviceaccount:customers"}
    service = f"Bearer {cluster_keys.token(**claims)}"
    for pairs in (
        [("authorization", good), ("authorization", good)],
        [("authorization", service), ("langganan-merchant", "toko"), ("langganan-merchant", "warung")],
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetMessage(messages_pb2.GetMessageRequest(message_id=ID), metadata=tuple(pairs))
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert error_info(caught.value).reason == "METADATA_REPEATED"
    _, reason, _ = await till.refusal(authorization=service, langganan_merchant="a b")
    assert reason == "MERCHANT_INVALID"
    assert till.servicer.callers == []
