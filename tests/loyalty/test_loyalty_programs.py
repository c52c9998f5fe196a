"""Programs: immutable versions, validated when they are set."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from kit.ids import new_uuid
from langganan.loyalty.v1 import programs_pb2 as pb
from langganan.types.v1 import tender_pb2
from loyalty.programs.review import absent_plugins
from loyalty.settings import Settings


def choice(plugin, **config):
    return pb.PluginChoice(plugin=plugin, config_json=json.dumps(config))


async def test_each_program_is_a_new_version_and_old_ones_stay(bare, new_program):
    first = await bare.set_program()
    second = await bare.set_program(point_value=Money(currency_code="IDR", units=20))
    assert (first.version, second.version) == (1, 2)
    get = bare.programs.GetProgram
    assert (await get(pb.GetProgramRequest())).program == second
    assert (await get(pb.GetProgramRequest(version=1))).program == first


async def test_a_program_without_effective_from_decides_from_now_on(bare, refused):
    made = await bare.set_program(effective_from=None)
    assert made.effective_from == made.set_at
    assert made.effective_from.ToDatetime() == bare.run.clock.now().replace(tzinfo=None)


async def test_a_program_of_the_future_is_the_newest_but_not_in_force(bare, refused, new_program):
    soon = new_program().effective_from
    soon.FromDatetime(bare.run.clock.now() + timedelta(days=1))
    made = await bare.set_program(effective_from=soon)
    assert await refused(bare.programs.GetProgram(pb.GetProgramRequest())) == "PROGRAM_NOT_FOUND"
    newest = pb.GetProgramRequest(newest=True)
    assert (await bare.programs.GetProgram(newest)).program == made


async def test_sixteen_times_the_same_program_at_once_is_one_version(bare, refused, new_program):
    await bare.set_program()
    for version in range(2, 7):
        request = pb.SetProgramRequest(request_id=new_uuid(), program=new_program(effective_from=None))
        replies = await asyncio.gather(*(bare.programs.SetProgram(request) for _ in range(16)))
        assert {reply.program.version for reply in replies} == {version}
    assert await bare.count("programs") == 6
    other = pb.SetProgramRequest(request_id=request.request_id, program=new_program(expiry_months=3))
    assert await refused(bare.programs.SetProgram(other)) == "IDEMPOTENCY_CONFLICT"
    spaced = pb.SetProgramRequest(request_id=request.request_id, program=request.program)
    spaced.program.earning[0].config_json = '{ "step" : 1000 }'
    assert (await bare.programs.SetProgram(spaced)).program.version == 6


async def test_sixteen_programs_at_once_are_sixteen_versions(bare):
    made = await asyncio.gather(*(bare.set_program(expiry_months=n + 1) for n in range(16)))
    assert sorted(program.version for program in made) == list(range(1, 17))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"earning": [choice("per_amount", step=0)]}, "INVALID_PLUGIN_CONFIG"),
        ({"earning": [choice("per_amount")]}, "INVALID_PLUGIN_CONFIG"),
        ({"earning": [pb.PluginChoice(plugin="per_amount", config_json="[1]")]}, "INVALID_PLUGIN_CONFIG"),
        ({"earning": [pb.PluginChoice(plugin="per_amount", config_json="{")]}, "INVALID_PLUGIN_CONFIG"),
        ({"earning": [choice("astrology")]}, "PLUGIN_MISSING"),
        ({"tier_plugin": choice("astrology")}, "PLUGIN_MISSING"),
        ({"tier_plugin": choice("rolling_spend", thresholds={"Gold": 1})}, "INVALID_PLUGIN_CONFIG"),
        ({"tiers": []}, "INVALID_PROGRAM"),
        ({"tiers": [pb.Tier(name="A"), pb.Tier(name="A")], "tier_plugin": None}, "INVALID_PROGRAM"),
        ({"point_value": Money(currency_code="USD", units=1)}, "INVALID_MONEY"),
        ({"point_value": Money(currency_code="IDR", nanos=5)}, "INVALID_MONEY"),
        ({"point_value": Money(currency_code="IDR", units=-1)}, "INVALID_PROGRAM"),
        ({"currency_code": "rupiah"}, "INVALID_FIELDS"),
        ({"excluded_tenders": [tender_pb2.TENDER_KIND_UNSPECIFIED]}, "INVALID_FIELDS"),
        ({"expiry_months": -1}, "INVALID_FIELDS"),
        ({"effective_from": Timestamp(seconds=2**62)}, "INVALID_FIELDS"),
        ({"effective_from": Timestamp(nanos=-1)}, "INVALID_FIELDS"),
    ],
)
async def test_a_program_with_a_fault_is_refused_and_not_kept(bare, refused, changes, reason):
    assert await refused(bare.set_program(**changes)) == reason
    assert await bare.count("programs") == 0


async def test_the_installed_plugins_are_listed_with_their_schemas(bare):
    reply = await bare.programs.ListPlugins(pb.ListPluginsRequest())
    found = {plugin.name: plugin for plugin in reply.plugins}
    assert {"per_amount", "product_multiplier", "rolling_spend"} <= set(found)
    assert found["rolling_spend"].kind == pb.PLUGIN_KIND_TIER
    assert all(plugin.description for plugin in reply.plugins)
    assert "step" in json.loads(found["per_amount"].config_schema_json)["properties"]


async def test_a_product_multiplier_weighs_the_lines_that_its_rules_name(bare, new_line):
    rules = [{"categories": ["milk"], "basis_points": 30_000}]
    await bare.set_program(earning=[choice("product_multiplier", step=1000, rules=rules)])
    customer = await bare.customer()
    milk = new_line(10_000, categories=["food", "milk"])
    sale = bare.sale(customer, [milk, 5_000])
    await bare.deliver(sale, bare.returned(sale, [("1", 10_000, 10_000)]))
    assert await bare.entries(customer) == [("EARN", 35, ""), ("TAKE_BACK", -30, "1")]


async def test_an_absent_plugin_stops_earning_alone(loyalty, refused):
    """A plugin that was removed after the program was set: points can still be used, earning waits."""
    customer = await loyalty.customer()
    await loyalty.adjust(customer, 100)
    await loyalty.run.pool.execute(
        "insert into programs select merchant_id, 2, gen_random_uuid(), fingerprint, effective_from, set_at,"
        " jsonb_set(content, '{earning,0,plugin}', '\"astrology\"') || '{\"version\": \"2\"}'"
        " from programs where merchant_id = $1",
        loyalty.merchant,
    )
    assert (await loyalty.reserve(customer, 10)).value.units == 100
    await loyalty.deliver(loyalty.sale(customer, [5_000]))
    assert await loyalty.parked(customer) == ["NOT_YET"]
    url = loyalty.run.service.pool._connect_args[0]
    said = [line for line in await absent_plugins(Settings(database_url=url)) if "astrology" in line]
    assert len(said) == 1
    assert "earning plugin 'astrology', which is not installed" in said[0]
