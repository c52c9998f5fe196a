"""The rehearsal of docs/operations/backup-and-restore.md: its commands, on a stack that lost everything."""

import asyncio
import os
import re
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from langganan.credit.v1 import invoices_pb2, payments_pb2
from langganan.customers.v1 import erasures_pb2, profiles_pb2
from langganan.types.v1 import tender_pb2
from local.demo.gateway import Gateway
from local.postgres import binaries
from local.services import SERVICES, environment
from local.settings import ROOT
from local.stack import Stack
from tests.system.conftest import OPENING, settings_of_its_own
from tests.system.trade import ORIGIN, Books, Trade, rupiah

PAGE = ROOT / "docs/operations/backup-and-restore.md"
DUMP, ERASURES, EMPTY, RESTORE, REWIND, FORGET, CHECK = range(7)


@pytest.fixture
async def trade() -> AsyncIterator[Trade]:
    """A shop on a stack of its own: nobody else's databases are thrown away."""
    with settings_of_its_own() as settings:
        async with Stack(settings, start=OPENING) as stack:
            till = Gateway(stack.grpc, stack.token())
            shop = Trade(stack, till)
            await shop.open()
            yield shop
            await till.close()


class Operator:
    """Whoever follows the page: runs its blocks by number, with the settings of all services."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        assert len(self._blocks) == CHECK + 1, "each block of the page is run below"
        self._folder = folder
        settings = [environment(name, stack.settings, stack.around) for name in SERVICES]
        path = [str(Path(sys.executable).parent), str(binaries()), os.environ["PATH"]]
        self._environment = {
            **{name: value for one in settings for name, value in one.items()},
            "PATH": ":".join(path),
            "PYTHONPATH": str(ROOT),
            "ADMIN_URL": stack.superuser_url,
            "DAY": stack.clock.now().date().isoformat(),
        }

    async def does(self, block: int, **more: str) -> str:
        """Run a block of the page as it stands; return what it printed."""
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            self._blocks[block],
            cwd=self._folder,
            env=self._environment | more,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await asyncio.wait_for(process.communicate(), 120))[0].decode()
        assert process.returncode == 0, f"{self._blocks[block]}\nsaid:\n{said}"
        return said


async def test_a_stack_that_lost_all_its_databases_is_restored_as_the_page_says(
    trade: Trade, tmp_path: Path
) -> None:
    stack, operator = trade.stack, Operator(trade.stack, tmp_path)
    buyer, leaver = await trade.register(), await trade.register()
    await trade.sell(buyer, cash=50_000, credit=20_000)
    await trade.sell(leaver, cash=30_000)
    await stack.settled()
    before = datetime.now(UTC)
    await operator.does(DUMP)

    # What the backup does not know: a sale, a payment, an erasure, a registration.
    late_sale, tenders, payment = str(uuid.uuid4()), await on_account_and_cash(trade, buyer), a_payment(buyer)
    await trade.record(buyer, tenders, late_sale)
    await pay(trade, payment)
    assert await erase(trade, leaver) == erasures_pb2.ERASURE_STATE_ERASED
    newcomer = await trade.register()
    await stack.settled()
    assert await trade.books(buyer) == Books(110, 35_000, 0, (20_000, 30_000), 2, 3)
    await operator.does(ERASURES)

    await stop(stack)
    await operator.does(EMPTY)
    await operator.does(RESTORE)
    await operator.does(REWIND, BEFORE=before.isoformat())
    assert "erased again 1" in await operator.does(FORGET)
    await asyncio.gather(*(stack.restart(name) for name in SERVICES))
    await stack.settled()

    # Kafka gave back what followed from the sale, once; what was written by RPC alone is gone.
    assert await trade.books(buyer) == Books(110, 50_000, 0, (20_000, 30_000), 1, 3)
    assert sorted(trade.mails(buyer).values()) == [1, 2, 2], "sent again, under the same Message-ID"
    assert await exceptions(trade, buyer) == [(30_000, invoices_pb2.EXCEPTION_KIND_UNAUTHORISED)]
    assert await recognised(trade, leaver) == 0, "forgotten again"
    assert await recognised(trade, newcomer) == 0
    assert await recognised(trade, buyer) == 1

    # The till repeats what it had written, and the books are whole.
    await trade.record(buyer, tenders, late_sale)
    await pay(trade, payment)
    await stack.settled()
    assert await trade.books(buyer) == Books(110, 35_000, 0, (20_000, 30_000), 2, 3)
    said = await operator.does(CHECK)
    assert said.count("found 0 differences") == 4, said
    assert re.search(r"looked at 3 sales", said), said


async def stop(stack: Stack) -> None:
    codes = await asyncio.gather(*(asyncio.to_thread(stack.parts[name].stop) for name in SERVICES))
    assert codes == [0] * len(SERVICES)


async def on_account_and_cash(trade: Trade, customer_id: str) -> list[tender_pb2.Tender]:
    """What pays 40,000 rupiah, 30,000 of it on a hold that credit approves now."""
    hold = await trade.authorize(customer_id, 30_000, str(uuid.uuid4()))
    credit = tender_pb2.Tender(tender_id="credit", amount=rupiah(30_000))
    credit.on_account.hold_id = hold.hold_id
    cash = tender_pb2.Tender(tender_id="cash", amount=rupiah(10_000))
    cash.cash.CopyFrom(tender_pb2.Cash(tendered=rupiah(10_000), change=rupiah(0)))
    return [credit, cash]


def a_payment(customer_id: str) -> payments_pb2.RecordPaymentRequest:
    return payments_pb2.RecordPaymentRequest(
        payment_id=str(uuid.uuid4()),
        customer_id=customer_id,
        amount=rupiah(15_000),
        method=payments_pb2.PAYMENT_METHOD_CASH,
        origin=ORIGIN,
    )


async def pay(trade: Trade, payment: payments_pb2.RecordPaymentRequest) -> None:
    await trade.till.call("RecordPayment", trade.till.payments.RecordPayment, payment)


async def erase(trade: Trade, customer_id: str) -> int:
    request = erasures_pb2.EraseCustomerRequest(
        request_id=str(uuid.uuid4()), customer_id=customer_id, origin=ORIGIN
    )
    return (await trade.till.call("EraseCustomer", trade.till.profiles.EraseCustomer, request)).state


async def recognised(trade: Trade, customer_id: str) -> int:
    """How many customers the shop recognises by somebody's e-mail address."""
    request = profiles_pb2.IdentifyRequest(email=trade.emails[customer_id], origin=ORIGIN)
    return len((await trade.till.call("Identify", trade.till.profiles.Identify, request)).matches)


async def exceptions(trade: Trade, customer_id: str) -> list[tuple[int, int]]:
    """What staff must look at of a customer: (amount, kind)."""
    request = invoices_pb2.ListExceptionsRequest(customer_id=customer_id)
    reply = await trade.till.call("ListExceptions", trade.till.invoices.ListExceptions, request)
    return [(one.amount.units, one.kind) for one in reply.exceptions]
