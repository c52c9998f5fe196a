"""A third party's plugins: installed in a fresh environment, proved by the contract suites, run in the stack.

Nothing of ours is touched: the distributions of examples/ are found because they are installed.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.testing import eventually
from local.part import free_port
from local.services import command, environment
from local.settings import ROOT
from local.stack import Stack
from tests.system.methods import Door, bearer, fresh
from tests.system.shops import Shop, rupiah, sale

EXAMPLES = ("webhook-channel", "unit-bonus")
BOTTLES = {"plugin": "unit_bonus", "configJson": '{"points": {"teh-botol": 5}}'}


@pytest.fixture(scope="session")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has what we are installed with, and the two examples as pip installs them."""
    home = tmp_path_factory.mktemp("third-party")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    (site_of(python) / "ours.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    sources = [shutil.copytree(ROOT / "examples" / name, home / name) for name in EXAMPLES]
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(sys.executable, "-m", "pip", "--python", python, *install, *sources)
    return python


def site_of(python: Path) -> Path:
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    return site


def run(*words: object, cwd: Path | None = None, env: dict[str, str] | None = None, code: int = 0) -> str:
    """Run a command to its end and return what it said; fail unless it exits with `code`."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_keep_the_contracts_where_they_are_installed(name: str, fresh_python: Path) -> None:
    tests = fresh_python.parent.parent / name / "tests"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cloudcoil",  # of this house's own tools; nothing that a third party has
        "-o",
        "asyncio_mode=auto",
        "-c",
        os.devnull,
        "--rootdir",
        tests,
    ]
    assert "passed" in run(fresh_python, "-m", "pytest", *options, tests, cwd=tests)


class Gateway:
    """What answers the webhook channel: an HTTP server that takes messages, or hangs."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.keys: list[str] = []
        self.asked = 0
        self.hangs = False
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        body = json.loads(await reader.readexactly(int(fields["Content-Length"])))
        self.asked += 1
        if self.hangs:
            await reader.read()  # until the channel hangs up
        else:
            self.taken.append(body)
            self.keys.append(fields["Idempotency-Key"])
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        writer.close()


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    taker = Gateway()
    server = await asyncio.start_server(taker.serve, "127.0.0.1", 0)
    taker.port = server.sockets[0].getsockname()[1]
    yield taker
    server.close()


@pytest.fixture
async def extended(
    stack: Stack, fresh_python: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stack]:
    """The stack with the examples installed and the channel set up; without them again afterwards."""
    plain = environment("notify", stack.settings, stack.around)
    channels = json.loads(plain["NOTIFY_CHANNELS"])
    webhook = {"url": f"http://127.0.0.1:{gateway.port}/messages", "timeout_s": 60}
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site_of(fresh_python)))
        patch.setenv("NOTIFY_CHANNELS", json.dumps({**channels, "webhook": webhook}))
        patch.setenv("NOTIFY_SEND_TIMEOUT_S", "15")
        patch.setenv("NOTIFY_RETRY_S", "1")
        for name in ("loyalty", "notify"):
            await stack.restart(name)
        yield stack
    for name in ("loyalty", "notify"):
        await stack.restart(name)


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    """A shop of its own."""
    door = Door(stack.grpc)
    merchant = f"warung-{fresh()[:8]}"
    opened = Shop(door, merchant, bearer(stack.token(merchant=merchant)), {})
    await opened.open()
    yield opened
    await door.close()


async def customer_of(shop: Shop, **point: str) -> str:
    customer = {"fullName": "Sari Wulandari", "contactPoints": [point]}
    request = {"requestId": fresh(), "customer": customer}
    made = await shop.call("customers.v1.CustomerService/CreateCustomer", request)
    return str(made.customer.customer_id)


async def sell(shop: Shop, customer_id: str, bottles: int = 1) -> None:
    content = sale(fresh(), customer_id, 10_000)
    (line,) = content["lines"]
    line |= {"productId": "teh-botol", "quantity": {"thousandths": str(bottles * 1_000), "unit": "pcs"}}
    await shop.call("customers.v1.PurchaseService/RecordPurchase", content)


async def program(shop: Shop, *earning: dict[str, str]) -> Any:
    content = {
        "currencyCode": "IDR",
        "effectiveFrom": "2026-01-01T00:00:00Z",
        "earning": list(earning),
        "pointValue": rupiah(10),
    }
    request = {"requestId": fresh(), "program": content}
    return await shop.knock("loyalty.v1.ProgramService/SetProgram", request)


async def test_a_third_partys_channel_and_earning_rule_run_in_the_stack(
    extended: Stack, shop: Shop, gateway: Gateway
) -> None:
    offered = await shop.call("loyalty.v1.ProgramService/ListPlugins", {})
    assert "unit_bonus" in str(offered)
    assert (await program(shop, BOTTLES)).ok
    wrong = {"plugin": "unit_bonus", "configJson": '{"points": {"teh-botol": "five"}}'}
    refused = await program(shop, wrong)
    assert refused.reason == "INVALID_PLUGIN_CONFIG"
    assert "unit_bonus" in refused.detail
    customer_id = await customer_of(shop, channel="CHANNEL_PHONE", address=shop.names.phone)
    await sell(shop, customer_id, bottles=3)
    await extended.settled()
    account = await shop.call("loyalty.v1.AccountService/GetAccount", {"customerId": customer_id})
    assert account.account.balance == 15
    (message,) = await eventually(lambda: gateway.taken, within=30)
    assert message["to"] == shop.names.phone
    assert "10.000" in message["text"]


async def test_a_channel_that_hangs_holds_up_no_other(extended: Stack, shop: Shop, gateway: Gateway) -> None:
    gateway.hangs = True
    by_phone = await customer_of(shop, channel="CHANNEL_PHONE", address=shop.names.phone)
    by_mail = await customer_of(shop, channel="CHANNEL_EMAIL", address=shop.names.email)
    await sell(shop, by_phone)
    await eventually(lambda: gateway.asked, within=30)
    await sell(shop, by_mail)
    assert await eventually(lambda: extended.mail.to(shop.names.email), within=10)
    assert gateway.asked == 1, "the e-mail went while the gateway was still hanging"
    gateway.hangs = False
    assert await eventually(lambda: gateway.taken, within=90), "what hung is sent once the gateway answers"


async def test_an_absent_earning_rule_stops_what_needs_it_of_that_shop_alone(
    stack: Stack, shop: Shop, fresh_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site_of(fresh_python)))
        await stack.restart("loyalty")
        assert (await program(shop, BOTTLES)).ok
    await stack.restart("loyalty")
    customer_id = await customer_of(shop, channel="CHANNEL_PHONE", address=shop.names.phone)
    await stack.settled()
    quote = {"customerId": customer_id, "lines": sale(fresh(), customer_id, 10_000)["lines"]}
    refused = await shop.knock("loyalty.v1.RedemptionService/Quote", quote)
    assert (refused.code.name, refused.reason) == ("FAILED_PRECONDITION", "PLUGIN_MISSING")
    assert "unit_bonus" in refused.detail
    asked = await shop.knock("loyalty.v1.AccountService/GetAccount", {"customerId": customer_id})
    assert asked.ok, "the shop's other features go on"
    said = run(*command("loyalty", "migrate"), env=environment("loyalty", stack.settings, stack.around))
    assert "unit_bonus" in said, "migrate says so before a roll"
    assert "such as warung-" in said


def distribution(folder: Path, group: str, point: str, code: str = "") -> None:
    """Put a distribution with one entry point into a folder, as an installer would."""
    info = folder / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{point}\n")
    (folder / "broken.py").write_text(code)


CONFIG = "from pydantic import BaseModel\nclass Config(BaseModel): ...\n"
BROKEN: dict[str, tuple[str, str, str]] = {
    "does not import": ("sulap = broken:Sulap", "import a_thing_that_is_not_there", "does not import"),
    "no such class": ("sulap = broken:Sulap", "", "does not import"),
    "another contract": (
        "sulap = broken:Sulap",
        f"{CONFIG}class Sulap:\n    name = 'sulap'\n    contract = 99\n    Config = Config\n",
        "has contract 99, not 1",
    ),
    "no configuration": (
        "sulap = broken:Sulap",
        "class Sulap:\n    name = 'sulap'\n    contract = 1\n",
        "has no pydantic model named Config",
    ),
}


@pytest.fixture
def beside(stack: Stack) -> Callable[..., str]:
    """`beside(service, role, **settings)`: run another process of a service that must not start."""

    def start(service: str, role: str, **more: str) -> str:
        env = environment(service, stack.settings, stack.around)
        prefix = service.upper()
        ports = {f"{prefix}_GRPC_PORT": str(free_port()), f"{prefix}_HTTP_PORT": str(free_port())}
        return run(*command(service, role), env={**env, **ports, **more}, cwd=ROOT, code=1)

    return start


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize(
    ("service", "group"),
    [("loyalty", "langganan.loyalty.earning"), ("notify", "langganan.notify.channels")],
)
def test_a_broken_plugin_stops_the_start_and_is_named(
    fault: str, service: str, group: str, beside: Callable[..., str], tmp_path: Path
) -> None:
    point, code, why = BROKEN[fault]
    distribution(tmp_path / "site", group, point, code)
    said = beside(service, "serve", PYTHONPATH=str(tmp_path / "site"))
    assert f"plugin 'sulap' of {group} (broken:Sulap) {why}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("channels", "why"),
    [
        ({"pigeon": {}}, "no plugin named 'pigeon' is installed"),
        ({"email": {"host": "mail", "prot": 25}}, "configuration of plugin 'email': prot"),
    ],
)
def test_a_channel_that_is_absent_or_set_up_wrongly_stops_notify_and_is_named(
    channels: dict[str, Any], why: str, beside: Callable[..., str]
) -> None:
    said = beside("notify", "serve", NOTIFY_CHANNELS=json.dumps(channels))
    assert why in said
    assert "Traceback" not in said
