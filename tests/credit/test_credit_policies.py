"""Policies over gRPC: versions that never change, and what a shop's own dunning does to its customers."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from credit.holds.store import queries
from credit.policies.review import absent_plugins
from credit.settings import Settings
from kit.ids import new_uuid
from langganan.credit.v1 import holds_pb2, policies_pb2_grpc
from langganan.credit.v1 import policies_pb2 as pb
from langganan.events.v1 import credit_pb2
from langganan.types.v1 import origin_pb2

SOLD = datetime(2026, 5, 1, 3, tzinfo=UTC)  # 10:00 in Jakarta; with ten net days due on the 11th
TILL = origin_pb2.Origin(store_id="s1", register_id="r1", mode=origin_pb2.MODE_ONLINE)
NOTICES = (credit_pb2.PaymentDue, credit_pb2.PaymentOverdue)


def choice(plugin, **config):
    return pb.PluginChoice(plugin=plugin, config_json=json.dumps(config))


def ladder(**config):
    return pb.Policy(dunning=choice("ladder", **config))


def service(credit):
    return credit.stub(policies_pb2_grpc.PolicyServiceStub)


async def keep(credit, policy, request_id=None):
    request = pb.SetPolicyRequest(request_id=request_id or new_uuid(), policy=policy)
    return (await service(credit).SetPolicy(request)).policy


async def told(credit, **which):
    return (await service(credit).GetPolicy(pb.GetPolicyRequest(**which))).policy


def from_(at, **config):
    policy = ladder(**config)
    policy.effective_from.FromDatetime(at)
    return policy


def move(credit, at):
    credit.run.clock.advance(at - credit.run.clock.now())


def ask(customer, amount=1_000):
    return holds_pb2.AuthorizeRequest(
        hold_id=new_uuid(), customer_id=customer, amount=Money(currency_code="IDR", units=amount), origin=TILL
    )


async def outcome(credit, customer):
    """APPROVED, or the reason of the decline."""
    hold = (await credit.holds.Authorize(ask(customer))).hold
    if hold.state == holds_pb2.HOLD_STATE_PENDING:
        return "APPROVED"
    return holds_pb2.DeclineReason.Name(hold.decline.reason).removeprefix("DECLINE_REASON_")


async def owing(credit, *, zone="Asia/Jakarta", net_days=10):
    customer = await credit.open(net_days=net_days, zone=zone)
    await credit.deliver(credit.sale(customer, (50_000, None), at=SOLD))
    return customer


def beside(credit, merchant):
    """The same service for another shop."""
    return type(credit)(credit.run, merchant=merchant)


async def reminded(credit, customer):
    """The local days on which a customer heard."""
    said = [p for p in await credit.facts(customer) if isinstance(p, NOTICES)]
    return [date(p.local_date.year, p.local_date.month, p.local_date.day) for p in said]


async def break_(credit, **changes):
    """Put a version in force that names a plugin which is not installed, as after a roll without it."""
    dunning = {"plugin": "astrology", "configJson": "{}"} | changes
    await credit.run.pool.execute(
        """
        INSERT INTO policies (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
        VALUES ($1, 99, gen_random_uuid(), '', $2, $2, $3::text::jsonb)
        """,
        credit.merchant,
        credit.run.clock.now(),
        json.dumps({"version": "99", "dunning": dunning}),
    )


async def test_a_shop_without_a_policy_has_the_ladder_with_its_defaults(credit):
    for which in ({}, {"newest": True}):
        found = await told(credit, **which)
        assert (found.version, found.dunning.plugin, found.dunning.config_json) == (0, "ladder", "{}")
        assert not found.HasField("limits")


async def test_each_policy_is_a_new_version_and_old_ones_stay(credit):
    first = await keep(credit, ladder(block_after_days=7))
    second = await keep(credit, ladder(block_after_days=30))
    assert (first.version, second.version) == (1, 2)
    assert await told(credit) == second
    assert await told(credit, version=1) == first
    assert first.effective_from == first.set_at
    assert first.effective_from.ToDatetime(UTC) == credit.run.clock.now()


async def test_a_policy_of_the_future_is_the_newest_but_not_in_force(credit):
    made = await keep(credit, from_(credit.run.clock.now() + timedelta(days=1), block_after_days=7))
    assert (await told(credit)).version == 0
    assert await told(credit, newest=True) == made


async def test_another_shop_sees_nothing_of_it(credit, refused):
    await keep(credit, ladder(block_after_days=7))
    other = beside(credit, "toko-lain")
    assert (await told(other)).version == 0
    assert (await told(other, newest=True)).version == 0
    assert await refused(told(other, version=1)) == "POLICY_NOT_FOUND"


async def test_sixteen_times_the_same_policy_at_once_is_one_version(credit, refused):
    for version in (1, 2, 3):
        request_id = new_uuid()
        made = await asyncio.gather(
            *(keep(credit, ladder(block_after_days=7), request_id) for _ in range(16))
        )
        assert {policy.version for policy in made} == {version}
    assert await credit.count("policies") == 3
    assert await refused(keep(credit, ladder(block_after_days=8), request_id)) == "IDEMPOTENCY_CONFLICT"
    spaced = pb.Policy(dunning=pb.PluginChoice(plugin="ladder", config_json='{ "block_after_days" : 7 }'))
    assert (await keep(credit, spaced, request_id)).version == 3


async def test_sixteen_policies_at_once_are_sixteen_versions(credit):
    made = await asyncio.gather(*(keep(credit, ladder(block_after_days=days)) for days in range(16)))
    assert sorted(policy.version for policy in made) == list(range(1, 17))


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (pb.Policy(), "INVALID_FIELDS"),
        (ladder(block_after_days=-1), "INVALID_PLUGIN_CONFIG"),
        (ladder(reminders=["3"]), "INVALID_PLUGIN_CONFIG"),
        (ladder(until=3), "INVALID_PLUGIN_CONFIG"),
        (pb.Policy(dunning=pb.PluginChoice(plugin="ladder", config_json="[1]")), "INVALID_PLUGIN_CONFIG"),
        (pb.Policy(dunning=choice("astrology")), "PLUGIN_MISSING"),
        (pb.Policy(dunning=choice("ladder"), limits=choice("astrology")), "PLUGIN_MISSING"),
        (pb.Policy(dunning=choice("ladder"), effective_from=Timestamp(seconds=2**62)), "INVALID_FIELDS"),
        (pb.Policy(dunning=choice("ladder"), effective_from=Timestamp(nanos=-1)), "INVALID_FIELDS"),
    ],
)
async def test_a_policy_with_a_fault_is_refused_and_not_kept(credit, refused, policy, reason):
    assert await refused(keep(credit, policy)) == reason
    assert await credit.count("policies") == 0


async def test_the_installed_plugins_are_listed_with_their_schemas(credit):
    reply = await service(credit).ListPlugins(pb.ListPluginsRequest())
    found = {(plugin.kind, plugin.name): plugin for plugin in reply.plugins}
    dunning = found[pb.PLUGIN_KIND_DUNNING, "ladder"]
    assert "block_after_days" in json.loads(dunning.config_schema_json)["properties"]
    assert all(plugin.description for plugin in reply.plugins)


async def test_customers_hear_on_exactly_the_days_that_their_shop_configured(alone):
    credit = await alone(SOLD)
    other, usual = beside(credit, "toko-b"), beside(credit, "toko-c")
    await keep(credit, ladder(reminders=[-5, 2]))
    await keep(other, ladder(reminders=[-1, 0, 30]))
    silent = beside(credit, "toko-d")
    await keep(silent, ladder(reminders=[]))
    customers = [
        (shop, await owing(shop, zone=zone))
        for shop in (credit, other, usual, silent)
        for zone in ("Asia/Jakarta", "Pacific/Kiritimati")
    ]
    for hours in range(0, 45 * 24, 12):
        move(credit, SOLD + timedelta(hours=hours))
        await credit.run.sweep("notices")
    days = {"toko-b": [-1, 0, 30], "toko-c": [-3, 0, 1, 7, 14], "toko-d": []}
    for shop, customer in customers:
        expected = [date(2026, 5, 11) + timedelta(days=d) for d in days.get(shop.merchant, [-5, 2])]
        assert await reminded(shop, customer) == expected


async def test_a_notice_lists_what_is_due_as_far_ahead_as_the_shops_first_reminder(alone):
    credit = await alone(SOLD)
    await keep(credit, ladder(reminders=[-5, 0]))
    customer = await owing(credit)
    for days in (4, 5, 6):
        await credit.deliver(credit.sale(customer, (days * 1_000, None), at=SOLD + timedelta(days=days)))
    move(credit, datetime(2026, 5, 11, 3, tzinfo=UTC))
    assert await credit.run.sweep("notices") == 1
    (said,) = [p for p in await credit.facts(customer) if isinstance(p, NOTICES)]
    assert [invoice.outstanding for invoice in said.due] == [50_000, 4_000, 5_000]


async def test_a_shop_blocks_from_its_own_day_on_and_a_payment_lifts_it(alone):
    credit = await alone(SOLD)
    await keep(credit, ladder(block_after_days=2))
    customer = await owing(credit)
    last_moment = datetime(2026, 5, 13, 16, 59, 59, tzinfo=UTC)
    move(credit, last_moment)
    assert await outcome(credit, customer) == "APPROVED"
    move(credit, last_moment + timedelta(seconds=1))
    assert await outcome(credit, customer) == "OVERDUE"
    assert (await credit.account(customer)).blocked
    await credit.pay(customer, 50_000)
    assert await outcome(credit, customer) == "APPROVED"
    assert not (await credit.account(customer)).blocked


async def test_shops_with_different_policies_are_decided_apart_in_one_batch(alone):
    credit = await alone(SOLD)
    never, usual = beside(credit, "toko-b"), beside(credit, "toko-c")
    await keep(credit, ladder(block_after_days=0))
    await keep(never, ladder(block_after_days=None))
    shops = [credit, never, usual]
    customers = [[await owing(shop) for _ in range(8)] for shop in shops]
    for day, expected in ((11, ["APPROVED"] * 3), (12, ["OVERDUE", "APPROVED", "APPROVED"])):
        move(credit, datetime(2026, 5, day, 3, tzinfo=UTC))
        for _ in range(3):
            found = await asyncio.gather(
                *(outcome(s, c) for s, each in zip(shops, customers, strict=True) for c in each)
            )
            assert [set(found[n : n + 8]) for n in (0, 8, 16)] == [{each} for each in expected]
    move(credit, datetime(2026, 5, 26, 3, tzinfo=UTC))
    found = [await outcome(shop, each[0]) for shop, each in zip(shops, customers, strict=True)]
    assert found == ["OVERDUE", "APPROVED", "OVERDUE"]
    batched = await credit.run.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM holds")
    assert batched < await credit.run.pool.fetchval("SELECT count(*) FROM holds")


async def test_a_policy_decides_from_its_effective_time_on_in_every_process(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    noon = datetime(2026, 5, 12, 5, tzinfo=UTC)
    await keep(credit, from_(noon, block_after_days=0))
    move(credit, noon - timedelta(seconds=1))
    assert await outcome(credit, customer) == "APPROVED"
    move(credit, noon)
    assert await outcome(credit, customer) == "OVERDUE"
    # What another process sets counts at the next call: which version is in force is never remembered.
    await credit.run.pool.execute(
        """
        INSERT INTO policies (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
        SELECT merchant_id, 2, gen_random_uuid(), '', effective_from, set_at,
            '{"version": "2", "dunning": {"plugin": "ladder", "configJson": "{\\"block_after_days\\": 5}"}}'
        FROM policies
        """
    )
    assert await outcome(credit, customer) == "APPROVED"


async def test_an_absent_plugin_stops_what_needs_it_in_its_shop_alone(alone, refused):
    credit = await alone(SOLD)
    other = beside(credit, "toko-b")
    late, fine = await owing(credit), await credit.open()
    elsewhere = await owing(other)
    move(credit, datetime(2026, 5, 12, 3, tzinfo=UTC))
    await break_(credit)
    wish = ask(late)
    replies = await asyncio.gather(
        refused(credit.holds.Authorize(wish)), outcome(credit, fine), outcome(other, elsewhere)
    )
    assert replies == ["PLUGIN_MISSING", "APPROVED", "APPROVED"]
    assert (await credit.account(late)).blocked
    assert not (await credit.account(fine)).blocked
    # Nobody of the shop is reminded; those of others are.
    assert await credit.run.sweep("notices") == 1
    assert await reminded(credit, late) == []
    assert await reminded(other, elsewhere) == [date(2026, 5, 12)]
    # Sales are posted and payments taken as ever; nothing was remembered of the hold's id.
    await credit.deliver(credit.sale(late, (1_000, None), at=credit.run.clock.now()))
    await credit.pay(late, 1_000)
    assert (await credit.account(late)).posted.units == 50_000
    move(credit, datetime(2026, 5, 12, 4, tzinfo=UTC))
    await keep(credit, ladder())  # in force from now on, and so before what it mends
    assert (await credit.holds.Authorize(wish)).hold.state == holds_pb2.HOLD_STATE_PENDING
    assert await credit.run.sweep("notices") == 1


async def test_migrate_names_a_plugin_that_a_policy_uses_and_this_build_lacks(alone):
    credit = await alone(SOLD)
    await keep(credit, ladder())
    assert await absent_plugins(Settings(database_url=credit.database_url)) == []
    await break_(credit)
    (said,) = await absent_plugins(Settings(database_url=credit.database_url))
    assert "dunning plugin 'astrology', which is not installed" in said
    assert credit.merchant in said


async def test_an_authorisation_probes_one_index_a_shop_for_its_policy(alone):
    credit = await alone(SOLD)
    await credit.run.pool.execute(
        """
        INSERT INTO policies (merchant_id, version, request_id, fingerprint, effective_from, set_at, content)
        SELECT 'toko-' || m, v, gen_random_uuid(), '', now(), now(), '{}'
        FROM generate_series(1, 2000) AS m, generate_series(1, 5) AS v
        """
    )
    await credit.run.pool.execute("VACUUM ANALYZE policies")

    async def probes(shops, asks):
        merchants = [f"toko-{n % shops + 1}" for n in range(asks)]
        plan = await credit.run.pool.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {queries.read_for_authorize.sql}",
            datetime.now(UTC),
            sorted(set(merchants)),
            merchants,
            [f"c{n}" for n in range(asks)],
            [new_uuid() for _ in range(asks)],
        )
        return sum(loops(json.loads(plan)[0]["Plan"]))

    def loops(plan):
        if plan.get("Index Name") == "policies_in_force":
            yield plan["Actual Loops"]
        for child in plan.get("Plans", []):
            yield from loops(child)

    assert await probes(shops=1, asks=200) == 1
    assert await probes(shops=50, asks=200) == 50
