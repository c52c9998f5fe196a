"""A shop whose policy decides limits, and sales that are paid in cash."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.ids import new_uuid
from kit.sweep import Sweeper
from langganan.credit.v1 import accounts_pb2 as pb
from langganan.credit.v1 import policies_pb2, policies_pb2_grpc
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import line_pb2, tender_pb2

MARCH = datetime(2026, 3, 15, 3, tzinfo=UTC)
# Midnight of 1 April, in Jakarta.
APRIL = datetime(2026, 3, 31, 17, tzinfo=UTC)
GOODS, FEE = line_pb2.LINE_KIND_GOODS, line_pb2.LINE_KIND_FEE
HALF = {"months": 2, "share_basis_points": 10_000, "max": 1_000_000}  # all of an average month


def rupiah(units):
    return Money(currency_code="IDR", units=units)


async def choose(credit, plugin="purchase_history", **config):
    """Set a policy whose limits a plugin decides, from now on; none: by hand."""
    limits = policies_pb2.PluginChoice(plugin=plugin, config_json=json.dumps(config)) if plugin else None
    policy = policies_pb2.Policy(dunning=policies_pb2.PluginChoice(plugin="ladder"), limits=limits)
    request = policies_pb2.SetPolicyRequest(request_id=new_uuid(), policy=policy)
    return (await credit.stub(policies_pb2_grpc.PolicyServiceStub).SetPolicy(request)).policy


async def by_policy(credit, customer, request_id=None):
    request = pb.SetLimitRequest(request_id=request_id or new_uuid(), customer_id=customer, by_policy=True)
    return (await credit.accounts.SetLimit(request)).account


async def by_hand(credit, customer, limit):
    request = pb.SetLimitRequest(request_id=new_uuid(), customer_id=customer, limit=rupiah(limit))
    return (await credit.accounts.SetLimit(request)).account


def move(credit, at):
    credit.run.clock.advance(at - credit.run.clock.now())


def sweeper(credit):
    (found,) = [s for s in credit.run.service.sweeps if s.name == "limits"]
    return Sweeper(found, credit.run.pool, credit.run.clock)


def sale(credit, customer, *nets, at, zone="Asia/Jakarta", kind=GOODS, purchase_id=None):
    """A finished sale that is paid in cash."""
    lines = [line_pb2.Line(line_id=str(n), kind=kind, net=rupiah(net)) for n, net in enumerate(nets, start=1)]
    cash = tender_pb2.Tender(tender_id="t1", amount=rupiah(sum(nets)), cash=tender_pb2.Cash())
    payload = purchases_pb2.PurchaseCompleted(
        merchant_id=credit.merchant,
        purchase_id=purchase_id or new_uuid(),
        customer_id=customer,
        time_zone=zone,
        currency_code="IDR",
        lines=lines,
        tenders=[cash],
    )
    payload.effective_at.FromDatetime(at)
    return Outgoing("purchase-completed", credit.merchant, customer, payload, at)


def returned(credit, sold, amount, *, at):
    payload = purchases_pb2.PurchaseReturned(
        merchant_id=credit.merchant,
        return_id=new_uuid(),
        purchase_id=sold.payload.purchase_id,
        customer_id=sold.payload.customer_id,
        time_zone=sold.payload.time_zone,
        currency_code="IDR",
        purchase_effective_at=sold.payload.effective_at,
        lines=[purchases_pb2.ReturnedLine(line_id="1", amount=amount, kind=GOODS)],
    )
    payload.effective_at.FromDatetime(at)
    return Outgoing("purchase-returned", credit.merchant, sold.payload.customer_id, payload, at)


async def limit(credit, customer):
    """(limit, version of the policy or 0, from when it is decided again)."""
    account = await credit.account(customer)
    if not account.HasField("limit_by_policy"):
        return account.limit.units, 0, None
    shown = account.limit_by_policy
    again = date(shown.again_on.year, shown.again_on.month, shown.again_on.day)
    return account.limit.units, shown.policy_version, again


async def history(credit, customer):
    """What changed an account, oldest first: (kind, limit, version of the policy, who)."""
    page = await credit.accounts.ListChanges(pb.ListChangesRequest(customer_id=customer))
    return [
        (
            pb.ChangeKind.Name(c.kind).removeprefix("CHANGE_KIND_"),
            c.limit.units,
            c.limit_policy_version,
            c.staff_ref,
        )
        for c in reversed(page.changes)
    ]
