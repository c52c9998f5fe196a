"""A completed purchase is confirmed once, to whom it belongs, in their language, and nobody else's is."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from google.type.money_pb2 import Money

from kit.events import Outgoing
from kit.ids import derived_uuid
from langganan.events.v1 import notify_pb2
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from langganan.types.v1 import tender_pb2


async def test_a_purchase_is_confirmed_by_mail(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add(name="Siti Rahayu", address="siti@example.com")
    sale = purchase(customer_id, notify.run.clock.now())
    await notify.run.deliver(sale)
    assert await notify.sweep() == 1
    ((address, mail),) = notify.sink.taken
    assert address == "siti@example.com"
    assert mail["To"] == "Siti Rahayu <siti@example.com>"
    assert mail["From"] == "Toko Makmur <toko@example.com>"
    assert mail["Subject"] == "Terima kasih atas pembelian Anda, struk R-0001"
    text = mail.get_content()
    assert "Halo Siti Rahayu" in text
    assert "Total       : Rp 12.500" in text
    assert "Tunai       : Rp 12.500" in text
    assert "15 Januari 2026 11:00 WITA" in text
    message = await notify.only(customer_id)
    assert message.state == messages_pb2.MESSAGE_STATE_SENT
    assert (message.channel, message.language, message.attempts) == ("email", "id", 1)
    assert message.cause == sale.payload.purchase_id
    (said,) = await notify.run.published(notify_pb2.MessageDelivered)
    assert (said.customer_id, said.cause, said.channel) == (customer_id, message.cause, "email")


async def test_english_is_spoken_to_those_who_want_it(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add(name="Ann", address="ann@example.com", language="en-GB")
    await notify.run.deliver(
        purchase(customer_id, notify.run.clock.now(), minor_digits=2, currency_code="IDR")
    )
    await notify.sweep()
    ((_, mail),) = notify.sink.taken
    assert mail["Subject"] == "Thank you for your purchase, receipt R-0001"
    assert "IDR 12,500.00" in mail.get_content()
    assert (await notify.only(customer_id)).language == "en"


async def test_a_language_without_texts_falls_back_to_the_shops(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add(language="ja")
    await notify.run.deliver(purchase(customer_id, notify.run.clock.now()))
    await notify.sweep()
    assert (await notify.only(customer_id)).language == "id"


async def test_an_event_heard_again_confirms_nothing_twice(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add()
    sale = purchase(customer_id, notify.run.clock.now())
    again = Outgoing(sale.type, sale.merchant_id, sale.key, sale.payload, sale.time)
    await notify.run.deliver(sale, sale, again)
    await notify.sweep()
    late = Outgoing(sale.type, sale.merchant_id, sale.key, sale.payload, sale.time)
    await notify.run.deliver(late)
    await notify.sweep_until_idle()
    assert len(notify.sink.taken) == 1
    assert len(await notify.listed()) == 1


async def test_events_heard_at_once_by_many_confirm_once(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add()
    sale = purchase(customer_id, notify.run.clock.now())
    copies = [Outgoing(sale.type, "toko", sale.key, sale.payload, sale.time) for _ in range(8)]
    await asyncio.gather(*(notify.run.deliver(copy) for copy in copies))
    await asyncio.gather(*(notify.sweep() for _ in range(4)))
    assert len(notify.sink.taken) == 1


async def test_anonymous_and_worthless_purchases_are_not_confirmed(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    customer_id = notify.book.add()
    await notify.run.deliver(purchase("", at), purchase(customer_id, at, total=0))
    assert await notify.sweep() == 0
    assert await notify.listed() == []


async def test_all_ways_of_paying_are_named(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add()
    sale = purchase(customer_id, notify.run.clock.now(), total=5_000)
    del sale.payload.tenders[:]
    means = {
        "points": tender_pb2.Points(reservation_id=str(uuid.uuid4())),
        "on_account": tender_pb2.OnAccount(hold_id=str(uuid.uuid4())),
        "qris": tender_pb2.Qris(),
    }
    for number, (name, value) in enumerate(means.items()):
        amount = Money(currency_code="IDR", units=1_000)
        sale.payload.tenders.append(tender_pb2.Tender(tender_id=str(number), amount=amount, **{name: value}))
    for number in (8, 9):
        amount = Money(currency_code="IDR", units=1_000)
        card = tender_pb2.Card(brand="gpn", last_four="1234")
        sale.payload.tenders.append(tender_pb2.Tender(tender_id=str(number), amount=amount, card=card))
    await notify.run.deliver(sale)
    await notify.sweep()
    text = notify.sink.taken[0][1].get_content()
    for line in ("Poin        : Rp 1.000", "Tempo       : Rp 1.000", "QRIS        : Rp 1.000"):
        assert line in text
    assert "Kartu       : Rp 2.000" in text
    assert "Tunai" not in text


async def test_a_sale_handed_in_late_is_still_confirmed(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add()
    now = notify.run.clock.now()
    sale = purchase(customer_id, now)
    for stamp in (sale.payload.occurred_at, sale.payload.effective_at):
        stamp.FromDatetime(now - timedelta(days=3))
    await notify.run.deliver(sale)
    await notify.sweep()
    assert "12 Januari 2026" in notify.sink.taken[0][1].get_content()


async def test_what_looks_like_an_address_in_a_receipt_number_is_left_out(notify: Any, purchase: Any) -> None:
    customer_id = notify.book.add()
    sale = purchase(customer_id, notify.run.clock.now(), receipt_number="budi@example.com")
    await notify.run.deliver(sale)
    message = await notify.only(customer_id)
    assert message.variables["receipt_number"].text == sale.payload.purchase_id


async def test_a_malformed_event_parks_and_the_others_are_confirmed(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    bad, good = notify.book.add(), notify.book.add()
    broken = purchase(bad, at)
    broken.payload.total.nanos = 500_000_000
    await notify.run.deliver(broken, purchase(good, at))
    assert await notify.listed(bad) == []
    assert len(await notify.listed(good)) == 1
    parked = await notify.run.pool.fetch("SELECT status FROM parked_events")
    assert [row["status"] for row in parked] == ["POISONED"]


async def test_merchants_do_not_see_each_other(notify: Any, purchase: Any) -> None:
    at = notify.run.clock.now()
    customer_id = notify.book.add("toko", address="a@example.com")
    notify.book.people["warung", customer_id] = notify.book.people["toko", customer_id]
    sale = purchase(customer_id, at)
    other = purchase(customer_id, at, merchant="warung", purchase_id=sale.payload.purchase_id)
    await notify.run.deliver(sale, other)
    await notify.sweep()
    assert len({mail["Message-ID"] for _, mail in notify.sink.taken}) == 2
    theirs = notify.run.stub(messages_pb2_grpc.MessageServiceStub, merchant="warung")
    (message,) = (await theirs.ListMessages(messages_pb2.ListMessagesRequest())).messages
    kind = "purchase-confirmation"
    assert message.message_id == derived_uuid("message", "warung", kind, sale.payload.purchase_id)
    assert [m.message_id for m in await notify.listed()] != [message.message_id]
    assert sorted(call[0] for call in notify.book.calls) == ["toko", "warung"]


async def test_pending_messages_of_an_erased_customer_stop(notify: Any, purchase: Any, erased: Any) -> None:
    at = notify.run.clock.now()
    customer_id = notify.book.add()
    await notify.run.deliver(purchase(customer_id, at), erased(customer_id, at))
    await notify.run.deliver(purchase(customer_id, at))
    assert await notify.sweep() == 0
    assert notify.sink.taken == []
    assert {m.reason for m in await notify.listed(customer_id)} == {
        messages_pb2.MESSAGE_REASON_CUSTOMER_ERASED
    }


async def test_messages_follow_a_merged_customer(notify: Any, purchase: Any, merged: Any) -> None:
    at = notify.run.clock.now()
    old, middle, new = notify.book.add(), notify.book.add(), notify.book.add(address="new@example.com")
    await notify.run.deliver(purchase(old, at))
    # The later merge is heard first: events of two customers have no order.
    await notify.run.deliver(merged(middle, new, at))
    await notify.run.deliver(merged(old, middle, at))
    await notify.run.deliver(purchase(old, at), purchase(middle, at))
    await notify.sweep()
    assert [address for address, _ in notify.sink.taken] == ["new@example.com"] * 3
    assert len(await notify.listed(old)) == len(await notify.listed(new)) == 3
    assert {e.customer_id for e in await notify.run.published()} == {new}
