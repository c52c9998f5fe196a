"""Birthdays are greeted once a local year, on the day, within hours, and never made up for."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from kit.rpc.line import Line
from langganan.customers.v1 import contacts_pb2
from langganan.notify.v1 import messages_pb2
from notify.occasions.birthdays import Birthdays
from notify.occasions.plugins import Birthday, BirthdayConfig, MonthDay
from notify.occasions.sweep import Occasions, OccasionsUnavailable
from notify.settings import Settings

R, S = messages_pb2.MessageReason, messages_pb2.MessageState
PENDING, SENT, SKIPPED = S.MESSAGE_STATE_PENDING, S.MESSAGE_STATE_SENT, S.MESSAGE_STATE_SKIPPED


@pytest.fixture
async def shop(notify: Any, registered: Any) -> Any:
    """The service, which has heard of the merchant, with the hours of a shop."""
    notify.book.quiet, notify.book.greeting = (21, 8), (9, 17)
    await notify.run.deliver(registered("someone", notify.run.clock.now()))
    return notify


async def look(shop: Any) -> None:
    """What a worker does at an instant: all occasions, then all messages."""
    while await shop.occasions():
        pass
    await shop.sweep_until_idle()


async def test_a_birthday_is_greeted_within_hours_once(shop: Any) -> None:
    customer_id = shop.book.add(born=(5, 17), name="Siti")
    shop.at("2026-05-17T07:00")
    await look(shop)
    message = await shop.only(customer_id)
    assert (message.kind, message.state, message.cause) == ("birthday", PENDING, f"{customer_id}/2026")
    assert message.not_before.ToJsonString() == "2026-05-17T02:00:00Z"
    assert message.not_after.ToJsonString() == "2026-05-17T16:59:59.999999Z"
    for hour in ("09:00", "09:15", "12:00", "16:59", "20:00"):
        shop.at(f"2026-05-17T{hour}")
        await look(shop)
    ((_, mail),) = shop.sink.taken
    assert mail["Subject"] == "Selamat ulang tahun, Siti!"
    assert len(await shop.listed(customer_id)) == 1
    assert set(shop.book.purposes) == {"GREETING"}


async def test_a_greeting_says_how_to_be_spared(start_notify: Any, sink: Any, registered: Any) -> None:
    for unsubscribe, header, post in (
        ("", "<mailto:toko@example.com?subject=unsubscribe%20{key}>", None),
        ("stop@example.com", "<mailto:stop@example.com?subject=unsubscribe%20{key}>", None),
        (
            "https://toko.example.com/stop",
            "<https://toko.example.com/stop/{key}>",
            "List-Unsubscribe=One-Click",
        ),
    ):
        async with start_notify(channels={"email": sink.config(unsubscribe=unsubscribe)}) as shop:
            await shop.run.deliver(registered("someone", shop.run.clock.now()))
            shop.book.people.clear()
            shop.book.add(born=(5, 17))
            shop.at("2026-05-17T12:00")
            await look(shop)
            _, mail = sink.taken[-1]
            key = mail["Message-ID"].strip("<>").partition("@")[0]
            assert mail["List-Unsubscribe"] == header.format(key=key)
            assert mail["List-Unsubscribe-Post"] == post
    assert len(sink.taken) == 3


async def test_a_confirmation_says_nothing_of_being_spared(notify: Any, purchase: Any) -> None:
    await notify.run.deliver(purchase(notify.book.add(), notify.run.clock.now()))
    await notify.sweep()
    assert notify.sink.taken[0][1]["List-Unsubscribe"] is None


@pytest.mark.parametrize(
    ("config", "day", "other"),
    [({}, "2027-02-28", "2027-03-01"), ({"leap_day": "1 March"}, "2027-03-01", "2027-02-28")],
)
async def test_29_february_is_greeted_on_the_day_that_stands_in_for_it(
    start_notify: Any, registered: Any, config: dict[str, str], day: str, other: str
) -> None:
    async with start_notify(occasions={"birthday": config}) as shop:
        await shop.run.deliver(registered("someone", shop.run.clock.now()))
        customer_id = shop.book.add(born=(2, 29))
        for date in sorted(["2027-02-27", day, other]):
            shop.at(f"{date}T12:00")
            await look(shop)
            assert len(await shop.listed(customer_id)) == (date >= day)
        assert len(shop.sink.taken) == 1


async def test_29_february_is_greeted_itself_in_a_leap_year(shop: Any) -> None:
    shop.book.add(born=(2, 29))
    for day, sent in (("2028-02-28", 0), ("2028-02-29", 1), ("2028-03-01", 1)):
        shop.at(f"{day}T12:00")
        await look(shop)
        assert len(shop.sink.taken) == sent


async def test_a_corrected_date_or_zone_never_greets_twice_in_a_year(shop: Any) -> None:
    customer_id = shop.book.add(born=(5, 17), zone="Asia/Jayapura")
    shop.at("2026-05-17T12:00")
    await look(shop)
    person = shop.book.people["toko", customer_id]
    person.zone = "Asia/Jakarta"
    shop.at("2026-05-17T12:30")
    await look(shop)
    person.born = (5, 18)
    shop.at("2026-05-18T12:00")
    await look(shop)
    assert len(shop.sink.taken) == 1
    shop.at("2027-05-18T12:00")
    await look(shop)
    assert len(shop.sink.taken) == 2


async def test_who_absorbed_somebody_already_greeted_is_not_greeted_again(shop: Any, merged: Any) -> None:
    absorbed = shop.book.add(born=(5, 17))
    shop.at("2026-05-17T10:00")
    await look(shop)
    shop.book.people["toko", absorbed].born = None
    survivor = shop.book.add(born=(5, 17))
    await shop.run.deliver(merged(absorbed, survivor, shop.run.clock.now()))
    shop.at("2026-05-17T12:00")
    await look(shop)
    assert len(shop.sink.taken) == len(await shop.listed(survivor)) == 1


async def test_a_date_corrected_on_the_day_is_still_greeted(shop: Any) -> None:
    shop.at("2026-05-17T10:00")
    await look(shop)
    customer_id = shop.book.add(born=(5, 16))
    shop.book.people["toko", customer_id].born = (5, 17)
    shop.at("2026-05-17T10:14")
    await look(shop)
    assert shop.sink.taken == []
    shop.at("2026-05-17T10:15")
    await look(shop)
    assert len(shop.sink.taken) == 1


async def test_a_day_that_was_missed_is_never_made_up_for(shop: Any) -> None:
    customer_id = shop.book.add(born=(5, 17))
    shop.book.fails_with = grpc.StatusCode.FAILED_PRECONDITION
    shop.at("2026-05-17T10:00")
    with pytest.raises(OccasionsUnavailable):
        await shop.occasions()
    shop.book.fails_with = None
    shop.at("2026-05-18T10:00")
    await look(shop)
    assert await shop.listed(customer_id) == []


async def test_since_when_a_merchants_birthdays_were_not_asked_for_is_shown(
    shop: Any, registered: Any
) -> None:
    def asked() -> float | None:
        labels = {"occasion": "birthday"}
        return REGISTRY.get_sample_value("langganan_notify_occasion_asked_seconds", labels)

    await look(shop)
    asked_at = shop.run.clock.now().timestamp()
    assert asked() == asked_at
    shop.run.clock.advance(timedelta(hours=3))
    shop.book.fails_with = grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(OccasionsUnavailable):
        await shop.occasions()
    assert asked() == asked_at, "nobody answered since"
    await shop.run.deliver(registered("another", shop.run.clock.now(), "warung"))
    with pytest.raises(OccasionsUnavailable):
        await shop.occasions()
    assert asked() == 0, "of one it was never asked for"
    shop.book.fails_with = None
    await look(shop)
    assert asked() == shop.run.clock.now().timestamp()


async def test_an_outage_of_hours_is_caught_up_with_on_the_same_day(shop: Any) -> None:
    shop.book.add(born=(5, 17))
    shop.book.fails_with = grpc.StatusCode.FAILED_PRECONDITION
    shop.at("2026-05-17T09:00")
    with pytest.raises(OccasionsUnavailable):
        await shop.occasions()
    shop.book.fails_with = None
    shop.at("2026-05-17T09:01")
    await look(shop)
    assert len(shop.sink.taken) == 1


async def test_a_birthday_after_hours_is_skipped(shop: Any) -> None:
    shop.at("2026-05-17T12:00")
    await look(shop)
    customer_id = shop.book.add(born=(5, 17))
    shop.at("2026-05-17T17:30")
    await look(shop)
    message = await shop.only(customer_id)
    assert (message.state, message.reason) == (SKIPPED, R.MESSAGE_REASON_NOT_AFTER_PASSED)


async def test_who_did_not_agree_is_not_greeted(shop: Any) -> None:
    customer_id = shop.book.add(born=(5, 17), refusal=contacts_pb2.REFUSAL_NO_CONSENT)
    shop.at("2026-05-17T12:00")
    await look(shop)
    assert (await shop.only(customer_id)).reason == R.MESSAGE_REASON_NO_CONSENT


async def test_everybody_is_greeted_on_the_date_of_their_own_zone(shop: Any) -> None:
    shop.book.quiet = shop.book.greeting = None
    east = shop.book.add(born=(5, 17), zone="Pacific/Kiritimati", address="east@example.com")  # UTC+14
    west = shop.book.add(born=(5, 17), zone="Etc/GMT+12", address="west@example.com")  # UTC-12
    shop.at("2026-05-16T10:00", "UTC")
    await look(shop)
    assert shop.sent_to == ["east@example.com"]
    shop.at("2026-05-17T11:59", "UTC")
    await look(shop)
    assert shop.sent_to == ["east@example.com"]
    shop.at("2026-05-17T12:00", "UTC")
    await look(shop)
    assert shop.sent_to == ["east@example.com", "west@example.com"]
    assert (await shop.only(east)).state == (await shop.only(west)).state == SENT


async def test_it_is_asked_once_a_quarter_of_an_hour_and_for_every_merchant(
    shop: Any, registered: Any
) -> None:
    await shop.run.deliver(registered("someone", shop.run.clock.now(), merchant="warung"))
    shop.at("2026-05-17T12:00")
    await look(shop)
    asked = {(merchant, 5, day) for merchant in ("toko", "warung") for day in (16, 17)}
    assert set(shop.book.birthdays_asked) == asked
    assert len(shop.book.birthdays_asked) == len(asked)
    for minutes, times in ((1, 1), (13, 1), (1, 2), (60, 3)):
        shop.run.clock.advance(timedelta(minutes=minutes))
        await look(shop)
        assert len(shop.book.birthdays_asked) == len(asked) * times


async def test_a_merchant_that_cannot_be_asked_holds_up_no_other(shop: Any, registered: Any) -> None:
    await shop.run.deliver(registered("someone", shop.run.clock.now(), merchant="aaa-broken"))
    shop.book.broken = {"aaa-broken"}
    shop.book.add(born=(5, 17))
    shop.at("2026-05-17T12:00")
    with pytest.raises(OccasionsUnavailable):
        await shop.occasions()
    await shop.sweep_until_idle()
    assert len(shop.sink.taken) == 1


class Broken(Birthday):
    """A third party's occasion that raises."""

    name = "broken"

    def born_on(self, day: date) -> Sequence[MonthDay]:
        raise RuntimeError("our fault")


async def test_an_occasion_that_breaks_is_named_and_holds_up_no_other(
    shop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url="", token_file=tmp_path / "token")
    customers = Birthdays(Line(shop.book.target, settings, 5.0), 60.0)
    config = BirthdayConfig(leap_day="28 February")
    both = {"broken": Broken(config), "birthday": Birthday(config)}
    occasions = Occasions(shop.run.pool, customers, both, timedelta(minutes=15))
    customer_id = shop.book.add(born=(5, 17))
    with pytest.raises(OccasionsUnavailable):
        await occasions.round(shop.at("2026-05-17T12:00"))
    assert (await shop.only(customer_id)).kind == "birthday"
    said = capsys.readouterr()
    assert "occasion_broken" in said.out + said.err
    assert "our fault" in said.out + said.err


async def test_a_zone_that_is_not_known_here_leaves_out_that_one_alone(shop: Any) -> None:
    shop.book.add(born=(5, 17), zone="Mars/Olympus")
    known = shop.book.add(born=(5, 17))
    shop.at("2026-05-17T12:00")
    await look(shop)
    assert {message.customer_id for message in await shop.listed()} == {known}


async def test_many_workers_greet_a_crowd_once(
    start_notify: Any, new_database: Any, sink: Any, registered: Any
) -> None:
    url = await new_database("notify")
    async with start_notify(url) as one, start_notify(url) as two:
        await one.run.deliver(registered("someone", one.run.clock.now()))
        for number in range(450):
            one.book.add(born=(5, 17), address=f"p{number}@example.com")
        for shop in (one, two):
            shop.at("2026-05-17T12:00")
        await asyncio.gather(one.occasions(), two.occasions())
        await asyncio.gather(*(shop.sweep_until_idle() for shop in (one, two)))
        assert len({address for address, _ in sink.taken}) == len(sink.taken) == 450
