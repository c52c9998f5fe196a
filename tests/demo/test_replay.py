"""The replay's gateway repeats as docs/gateway.md says, and counts what fails for good."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import grpc
import pytest

from kit.rpc.line import CHANNEL
from langganan.customers.v1 import purchases_pb2_grpc
from local.demo.compare.found import Found
from local.demo.gateway import AGAIN
from local.part import free_port
from local.replay import gateway as patient
from local.replay.__main__ import targets_of
from local.replay.gateway import PatientGateway
from tests.demo.test_gateway import Purchases, Request

CONFIG = json.loads(resources.files("langganan").joinpath("service_config.json").read_text("utf-8"))
PAGE = (Path(__file__).parents[2] / "docs/gateway.md").read_text()
ATTEMPTS = CONFIG["methodConfig"][0]["retryPolicy"]["maxAttempts"]  # of the channel, for one call


@pytest.fixture
async def purchases() -> AsyncIterator[tuple[Purchases, str]]:
    server = grpc.aio.server()
    servicer = Purchases()  # type: ignore[abstract]  # a till's other calls are not of interest here
    purchases_pb2_grpc.add_PurchaseServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def record(address: str, patience: float) -> PatientGateway:
    """Send a purchase until it is answered; or refused."""
    services = ("customers", "loyalty", "credit", "notify")
    gateway = PatientGateway(dict.fromkeys(services, address), "t", patience=patience)
    try:
        await gateway.call("RecordPurchase", gateway.purchases.RecordPurchase, Request(purchase_id="one"))
    except grpc.aio.AioRpcError:
        return gateway  # which knows how it ended
    finally:
        await gateway.close()
    return gateway


async def test_what_the_channel_gives_up_is_sent_again_under_the_same_id(
    purchases: tuple[Purchases, str],
) -> None:
    servicer, address = purchases
    servicer.failures = ATTEMPTS  # the whole of one call
    gateway = await record(address, patience=30)
    assert servicer.arrived == {"one": ATTEMPTS + 1}
    assert gateway.repeated == {"RecordPurchase UNAVAILABLE": 1}
    assert not gateway.failures


async def test_a_call_that_is_not_answered_in_time_has_failed_and_is_repeated_all_the_same(
    purchases: tuple[Purchases, str],
) -> None:
    servicer, address = purchases
    servicer.failures = ATTEMPTS
    gateway = await record(address, patience=0)
    assert [(one.method, one.code) for one in gateway.failures] == [("RecordPurchase", "UNAVAILABLE")]
    assert servicer.arrived == {"one": ATTEMPTS + 1}


async def test_a_call_that_a_stopping_server_cancels_is_sent_again_by_the_channel(
    purchases: tuple[Purchases, str],
) -> None:
    servicer, address = purchases
    servicer.failures, servicer.code = 1, grpc.StatusCode.CANCELLED
    gateway = await record(address, patience=0)
    assert servicer.arrived == {"one": 2}
    assert not gateway.failures


async def test_what_is_refused_is_not_sent_again(purchases: tuple[Purchases, str]) -> None:
    servicer, address = purchases
    servicer.failures, servicer.code = 1, grpc.StatusCode.INVALID_ARGUMENT
    gateway = await record(address, patience=30)
    assert servicer.arrived == {"one": 1}
    assert [one.code for one in gateway.failures] == ["INVALID_ARGUMENT"]


async def test_a_service_that_is_not_there_yet_is_waited_for() -> None:
    address = f"127.0.0.1:{free_port()}"
    calling = asyncio.create_task(record(address, patience=30))
    await asyncio.wait([calling], timeout=0.5)
    assert not calling.done()
    server = grpc.aio.server()
    purchases_pb2_grpc.add_PurchaseServiceServicer_to_server(Purchases(), server)  # type: ignore[abstract]
    server.add_insecure_port(address)
    await server.start()
    assert not (await asyncio.wait_for(calling, 20)).failures
    await server.stop(None)


def test_the_page_for_gateways_says_what_the_service_config_and_the_replay_do() -> None:
    policy = CONFIG["methodConfig"][0]["retryPolicy"]
    seconds = [value.removesuffix("s") for value in (policy["initialBackoff"], policy["maxBackoff"])]
    assert f"A call has {CONFIG['methodConfig'][0]['timeout'].removesuffix('s')} seconds" in PAGE
    assert f"tries up to {policy['maxAttempts']} times, {seconds[0]} s apart" in PAGE
    assert policy["backoffMultiplier"] == 2
    assert f"twice as long each time, {seconds[1]} s at most" in PAGE
    *first, last = policy["retryableStatusCodes"]
    assert f"{', '.join(first)} or {last}" in PAGE
    assert CONFIG["loadBalancingConfig"] == [{"round_robin": {}}]
    named = re.findall(r"^\| `(grpc\.\w+)` \| (\d+) \|", PAGE, re.MULTILINE)
    assert {name: int(value) for name, value in named} == CHANNEL
    again = re.search(r"^\| ([A-Z_, ]+) \| the outcome is unknown", PAGE, re.MULTILINE)
    assert again
    assert set(again[1].split(", ")) == {code.name for code in AGAIN}
    assert (
        f"after {patient.FIRST_WAIT} s, {patient.FIRST_WAIT * 2} s, … up to {patient.LONGEST_WAIT:.0f} s"
        in PAGE
    )
    assert f"{patient.PATIENCE:.0f} seconds in the replay" in PAGE


def test_targets_are_a_pattern_or_one_each() -> None:
    assert targets_of("dns:///{service}:7000")["credit"] == "dns:///credit:7000"
    one_each = "customers=a:1,loyalty=b:2,credit=c:3,notify=d:4"
    assert targets_of(one_each) == {"customers": "a:1", "loyalty": "b:2", "credit": "c:3", "notify": "d:4"}
    with pytest.raises(ValueError, match="must name each of"):
        targets_of("customers=a:1")


def test_what_was_found_of_two_customers_adds_up() -> None:
    one, two = Found(differences=["a"], purchases=2), Found(differences=["b"], purchases=3)
    one.sent["birthday"], two.sent["birthday"], two.mails["x"] = 1, 2, 5
    one.add(two)
    assert (one.differences, one.purchases, one.sent, one.mails) == (["a", "b"], 5, {"birthday": 3}, {"x": 5})
