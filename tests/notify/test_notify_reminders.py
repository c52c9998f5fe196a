"""What credit and loyalty say reaches the customer once, at a decent hour, as far as it is still true."""

import asyncio
from datetime import date
from email.message import EmailMessage
from typing import Any

import grpc
import pytest

from kit.events import Outgoing
from kit.ids import new_uuid
from kit.testing.eventually import eventually
from langganan.events.v1 import credit_pb2, notify_pb2
from langganan.notify.v1 import messages_pb2

R, S = messages_pb2.MessageReason, messages_pb2.MessageState
PENDING, SENT, SKIPPED = S.MESSAGE_STATE_PENDING, S.MESSAGE_STATE_SENT, S.MESSAGE_STATE_SKIPPED
TODAY = date(2026, 3, 5)
SOON, LONG_AGO = date(2026, 3, 8), date(2026, 3, 1)


def text_of(mail: EmailMessage) -> str:
    """The text as it was written, without SMTP's line ends."""
    content = mail.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


async def credit(notify: Any, *events: Outgoing) -> None:
    await notify.run.deliver(*events, topic="credit")


async def loyalty(notify: Any, *events: Outgoing) -> None:
    await notify.run.deliver(*events, topic="loyalty")


async def test_what_is_due_soon_is_told_once_with_count_sum_and_soonest_day(notify: Any, due: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    owed = [notify.ledger.add(50_000, SOON), notify.ledger.add(25_000, TODAY)]
    said = due(customer_id, now, TODAY, due=owed)
    again = Outgoing(said.type, said.merchant_id, said.key, said.payload, said.time)
    await credit(notify, said, again)
    await notify.sweep_until_idle()
    ((_, mail),) = notify.sink.taken
    assert mail["Subject"] == "Pengingat pembayaran: Rp 75.000"
    text = text_of(mail)
    assert "Tagihan : 2\n  Jumlah  : Rp 75.000\n  Tanggal : 5 Maret 2026" in text
    assert "lewat jatuh tempo" not in text
    message = await notify.only(customer_id)
    assert (message.kind, message.state, message.cause) == ("payment-due", SENT, f"{customer_id}/2026-03-05")
    assert notify.book.purposes == ["PAYMENT_REMINDER"]
    assert notify.ledger.calls == [("toko", 2)]


async def test_what_is_overdue_is_told_with_what_is_due(notify: Any, due: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add(language="en")
    overdue, soon = [notify.ledger.add(40_000, LONG_AGO)], [notify.ledger.add(10_000, SOON)]
    await credit(notify, due(customer_id, now, TODAY, overdue=overdue, due=soon))
    await notify.sweep_until_idle()
    ((_, mail),) = notify.sink.taken
    text = text_of(mail)
    assert mail["Subject"] == "Your payment of IDR 50,000"
    assert "Amount   : IDR 40,000\n  Since    : 1 March 2026" in text
    assert "Amount   : IDR 10,000\n  Due on   : 8 March 2026" in text


async def test_only_what_is_still_open_at_the_attempt_is_shown(notify: Any, due: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    paid, half, whole = (notify.ledger.add(40_000, SOON) for _ in range(3))
    await credit(notify, due(customer_id, now, TODAY, due=[paid, half, whole]))
    del notify.ledger.owed[paid.invoice_id]
    notify.ledger.owed[half.invoice_id] = (15_000, SOON)
    await notify.sweep_until_idle()
    ((_, mail),) = notify.sink.taken
    assert "Tagihan : 2\n  Jumlah  : Rp 55.000" in text_of(mail)


async def test_a_reminder_of_what_was_paid_meanwhile_is_skipped(notify: Any, due: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    owed = [notify.ledger.add(40_000, LONG_AGO), notify.ledger.add(1_000, SOON)]
    await credit(notify, due(customer_id, now, TODAY, overdue=owed[:1], due=owed[1:]))
    notify.ledger.owed = {one.invoice_id: (0, SOON) for one in owed}
    await notify.sweep_until_idle()
    message = await notify.only(customer_id)
    assert (message.state, message.reason) == (SKIPPED, R.MESSAGE_REASON_PAID)
    assert notify.sink.taken == []


async def test_credit_being_away_delays_reminders_and_nothing_else(notify: Any, due: Any, paid: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    reminded, thanked = notify.book.add(), notify.book.add(address="thanked@example.com")
    notify.ledger.fails_with = grpc.StatusCode.FAILED_PRECONDITION
    await credit(
        notify,
        due(reminded, now, TODAY, due=[notify.ledger.add(40_000, SOON)]),
        paid(thanked, now, 5_000),
    )
    await notify.sweep_until_idle()
    assert notify.sent_to == ["thanked@example.com"]
    message = await notify.only(reminded)
    assert (message.state, message.last_failure) == (PENDING, R.MESSAGE_REASON_CREDIT_UNAVAILABLE)
    notify.ledger.fails_with = None
    await eventually(notify.sweep)
    assert (await notify.only(reminded)).state == SENT


async def test_a_batch_asks_credit_once_and_customers_once(notify: Any, due: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    people = [notify.book.add(address=f"p{n}@example.com") for n in range(120)]
    events = [due(p, now, TODAY, due=[notify.ledger.add(1_000 + n, SOON)]) for n, p in enumerate(people)]
    await credit(notify, *events)
    assert await notify.sweep() == 120
    assert len(notify.sink.taken) == 120
    assert notify.ledger.calls == [("toko", 120)]
    assert [many for _, _, many in notify.book.calls] == [120]


async def test_a_payment_is_thanked_for_at_any_hour(notify: Any, paid: Any) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T23:30")
    customer_id = notify.book.add()
    await credit(notify, paid(customer_id, now, 75_000, outstanding=20_000))
    await notify.sweep_until_idle()
    ((_, mail),) = notify.sink.taken
    assert mail["Subject"] == "Pembayaran Rp 75.000 telah kami terima"
    assert "Sisa tagihan : Rp 20.000" in text_of(mail)
    message = await notify.only(customer_id)
    assert message.not_after.ToJsonString() == "2026-03-05T22:30:00Z"


async def test_a_payment_that_bounced_is_told_once_at_any_hour(notify: Any, paid: Any, bounced: Any) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T23:30")
    customer_id = notify.book.add()
    receipt = paid(customer_id, now, 75_000)
    allocations = [credit_pb2.PaymentAllocation(invoice_id=new_uuid(), amount=30_000) for _ in range(2)]
    facts = {
        "payment_id": receipt.payload.payment_id,
        "allocations": allocations,
        "taken_from_credit": 15_000,
        "outstanding": 80_000,
    }
    await credit(notify, receipt, bounced(customer_id, now, 75_000, **facts))
    await credit(notify, bounced(customer_id, now, 75_000, **facts))  # published again under another id
    await notify.sweep_until_idle()
    mails = {mail["Subject"]: mail for _, mail in notify.sink.taken}
    assert len(mails) == len(notify.sink.taken) == 2
    mail = mails["Pembayaran Rp 75.000 tidak jadi kami terima"]
    for line in ("Tagihan terbuka lagi : 2", "Diambil dari saldo : Rp 15.000", "Sisa tagihan : Rp 80.000"):
        assert line in " ".join(text_of(mail).split())
    assert "kekeliruan" not in text_of(mail)
    assert notify.book.purposes == ["PAYMENT_REMINDER"]
    messages = {m.kind: m for m in await notify.listed(customer_id)}
    assert messages["payment-reversed"].cause == f"{receipt.payload.payment_id}/reversal"
    assert messages["payment-reversed"].not_after.ToJsonString() == "2026-03-06T16:30:00Z"


async def test_a_mistake_is_owned_up_to_unless_nobody_was_told_of_it(notify: Any, bounced: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    told, untold, gave = notify.book.add(), notify.book.add(), notify.book.add()
    await credit(
        notify,
        bounced(told, now, 5_000, reason="MISTAKE", taken_from_credit=5_000),
        bounced(untold, now, 6_000, reason="MISTAKE"),  # of a giro that was pending
        bounced(gave, now, 7_000),  # another that was pending: its customer thinks that it is paid
    )
    await notify.sweep_until_idle()
    texts = {mail["Subject"]: text_of(mail) for _, mail in notify.sink.taken}
    assert texts.keys() == {f"Pembayaran Rp {n}.000 tidak jadi kami terima" for n in (5, 7)}
    assert "kekeliruan kami" in texts["Pembayaran Rp 5.000 tidak jadi kami terima"]
    assert "bank tidak meneruskannya" in texts["Pembayaran Rp 7.000 tidak jadi kami terima"]


async def test_expiring_points_are_told_with_their_first_day(notify: Any, expiring: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    await loyalty(notify, expiring(customer_id, now, {date(2026, 3, 20): 70, date(2026, 3, 12): 1_200}))
    await notify.sweep_until_idle()
    ((_, mail),) = notify.sink.taken
    assert mail["Subject"] == "1.200 poin Anda berlaku sampai 12 Maret 2026"
    assert "sampai 20 Maret 2026: 70 poin lagi" in text_of(mail)
    assert (await notify.only(customer_id)).not_after.ToJsonString() == "2026-03-12T16:59:59.999999Z"
    assert notify.book.purposes == ["MEMBERSHIP"]


async def test_another_tier_is_told_and_the_first_is_not(notify: Any, tier: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    new, raised, pinned, same = (notify.book.add(address=f"p{n}@example.com") for n in range(4))
    await loyalty(
        notify,
        tier(new, now, "", "New", revision=1),
        tier(raised, now, "Regular", "VIP"),
        tier(pinned, now, "VIP", "Premium", cause="PINNED"),
        tier(same, now, "VIP", "VIP"),
    )
    await notify.sweep_until_idle()
    assert sorted(notify.sent_to) == ["p1@example.com", "p2@example.com"]
    assert {mail["Subject"] for _, mail in notify.sink.taken} == {
        "Status keanggotaan Anda kini VIP",
        "Status keanggotaan Anda kini Premium",
    }


async def test_a_message_in_quiet_hours_waits_for_their_end_and_is_not_looked_at_before(
    notify: Any, tier: Any
) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    customer_id = notify.book.add()
    await loyalty(notify, tier(customer_id, now, "Regular", "VIP"))
    assert await notify.sweep_until_idle() == 1
    message = await notify.only(customer_id)
    assert (message.state, message.attempts) == (PENDING, 0)
    assert message.not_before.ToJsonString() == "2026-03-06T01:00:00Z"
    for hour in ("23:00", "23:59"):
        notify.at(f"2026-03-05T{hour}")
        assert await notify.sweep() == 0
    notify.at("2026-03-06T07:59")
    assert await notify.sweep() == 0
    assert len(notify.book.calls) == 1
    notify.at("2026-03-06T08:00")
    assert await notify.sweep() == 1
    message = await notify.only(customer_id)
    assert (message.state, message.attempts, message.HasField("not_before")) == (SENT, 1, False)


async def test_the_customers_own_zone_decides_when_it_is_night(notify: Any, tier: Any) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T19:30")
    west = notify.book.add(address="west@example.com")
    east = notify.book.add(address="east@example.com", zone="Asia/Jayapura")  # two hours ahead
    await loyalty(notify, tier(west, now, "Regular", "VIP"), tier(east, now, "Regular", "VIP"))
    await notify.sweep_until_idle()
    assert notify.sent_to == ["west@example.com"]
    assert (await notify.only(east)).not_before.ToJsonString() == "2026-03-05T23:00:00Z"


async def test_what_has_no_use_after_the_night_is_skipped_at_once(notify: Any, due: Any) -> None:
    notify.book.quiet = (21, 8)
    notify.at("2026-03-06T21:30")
    customer_id = notify.book.add()
    owed = [notify.ledger.add(40_000, SOON)]
    await credit(notify, due(customer_id, notify.run.clock.now(), TODAY, due=owed))
    await notify.sweep_until_idle()
    message = await notify.only(customer_id)
    assert (message.state, message.reason) == (SKIPPED, R.MESSAGE_REASON_NOT_AFTER_PASSED)
    assert message.not_after.ToJsonString() == "2026-03-06T16:59:59.999999Z"


async def test_consent_is_judged_when_the_hours_have_come(notify: Any, tier: Any) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    customer_id = notify.book.add(refusal=5)
    await loyalty(notify, tier(customer_id, now, "Regular", "VIP"))
    await notify.sweep_until_idle()
    notify.book.people["toko", customer_id].refusal = 0
    notify.at("2026-03-06T08:00")
    await notify.sweep_until_idle()
    assert (await notify.only(customer_id)).state == SENT


async def test_what_is_held_dies_with_its_customer(notify: Any, tier: Any, erased: Any) -> None:
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    customer_id = notify.book.add()
    await loyalty(notify, tier(customer_id, now, "Regular", "VIP"))
    await notify.sweep_until_idle()
    await notify.run.deliver(erased(customer_id, now))
    notify.at("2026-03-06T09:00")
    assert await notify.sweep() == 0
    message = await notify.only(customer_id)
    assert (message.reason, message.HasField("not_before")) == (R.MESSAGE_REASON_CUSTOMER_ERASED, False)


async def test_a_tier_that_looks_like_an_address_is_not_stored(notify: Any, tier: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    await loyalty(notify, tier(customer_id, now, "Regular", "vip@example.com"))
    assert (await notify.only(customer_id)).variables["tier"].text == "-"


async def test_an_event_with_a_date_that_does_not_exist_parks_its_customer_alone(
    notify: Any, due: Any
) -> None:
    now = notify.at("2026-03-05T10:00")
    bad, good = notify.book.add(), notify.book.add(address="good@example.com")
    wrong = due(bad, now, TODAY, due=[notify.ledger.add(1_000, SOON)])
    wrong.payload.local_date.day = 31
    wrong.payload.local_date.month = 2
    await credit(notify, wrong, due(good, now, TODAY, due=[notify.ledger.add(1_000, SOON)]))
    await notify.sweep_until_idle()
    assert notify.sent_to == ["good@example.com"]
    assert await notify.run.pool.fetchval("SELECT count(*) FROM parked_events") == 1


@pytest.mark.parametrize("count", [3])
async def test_many_workers_send_what_was_held_once(
    start_notify: Any, new_database: Any, sink: Any, tier: Any, count: int
) -> None:
    url = await new_database("notify")
    async with start_notify(url, send_batch=9) as one, start_notify(url, send_batch=9) as two:
        one.book.quiet = (21, 8)
        now = one.at("2026-03-05T22:00")
        two.at("2026-03-05T22:00")
        people = [one.book.add(address=f"p{n}@example.com") for n in range(40)]
        await loyalty(one, *(tier(p, now, "Regular", "VIP") for p in people))
        await one.sweep_until_idle()
        one.at("2026-03-06T08:00")
        two.at("2026-03-06T08:00")
        await asyncio.gather(*(n.sweep_until_idle() for n in [one, two] * count))
        assert len({address for address, _ in sink.taken}) == len(sink.taken) == 40
        assert len(await one.run.published(notify_pb2.MessageDelivered)) == 40


async def test_a_worker_is_settled_when_all_that_is_due_has_left_and_only_then(
    notify: Any, tier: Any, paid: Any
) -> None:
    async def waits() -> bool:
        (sweep,) = [s for s in notify.run.service.sweeps if s.name == "messages"]
        async with notify.run.pool.acquire() as conn:
            return bool(await sweep.waiting(conn, notify.run.clock.now()))

    assert not await waits()
    notify.book.quiet = (21, 8)
    now = notify.at("2026-03-05T22:00")
    held, thanked = notify.book.add(), notify.book.add()
    await loyalty(notify, tier(held, now, "Regular", "VIP"))
    assert await waits()
    await notify.sweep_until_idle()
    assert not await waits()  # what is held waits for the clock
    notify.sink.answer_rcpt = "451 later"
    await credit(notify, paid(thanked, now, 5_000))
    await notify.sweep_until_idle()
    assert await waits()  # another attempt follows without the clock
    notify.sink.answer_rcpt = "250 OK"
    await eventually(notify.sweep)
    assert not await waits()


async def test_what_staff_say_again_on_the_same_day_is_told_again(notify: Any, due: Any) -> None:
    now = notify.at("2026-03-05T10:00")
    customer_id = notify.book.add()
    owed = [notify.ledger.add(50_000, SOON)]
    await credit(notify, due(customer_id, now, TODAY, due=owed))
    await notify.sweep_until_idle()
    by_hand = due(customer_id, now, TODAY, due=owed, request_id="3f3c1d5e-0000-4000-8000-000000000001")
    await credit(notify, by_hand, by_hand)
    await notify.sweep_until_idle()
    assert len(notify.sink.taken) == 2
