"""What was said on the topics is read once each, from their beginning to their end."""

import datetime
import uuid

from aiokafka import AIOKafkaProducer
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from kit.broker import Broker
from kit.events import Outgoing, topics
from kit.events.envelope import as_record
from langganan.events.v1 import credit_pb2, loyalty_pb2
from local.demo.heard import Heard, listen

SAID_AT = datetime.datetime(2017, 3, 1, tzinfo=datetime.UTC)


def day(number: int) -> Date:
    return Date(year=2017, month=3, day=number)


def change(before: str, now: str) -> loyalty_pb2.TierChanged:
    return loyalty_pb2.TierChanged(
        customer_id="C", from_tier=before, to_tier=now, cause_id="P", effective_at=Timestamp(seconds=5)
    )


OVERDUE = credit_pb2.PaymentOverdue(
    customer_id="C",
    local_date=day(9),
    overdue=[credit_pb2.OpenInvoice(invoice_id="I1", outstanding=700, due_on=day(8))],
    due=[credit_pb2.OpenInvoice(invoice_id="I2", outstanding=300, due_on=day(12))],
)


def test_the_first_tier_is_no_change_and_invoices_get_their_purchases() -> None:
    heard = Heard()
    heard.note("tier-changed", change("", "New"))
    heard.note("payment-overdue", OVERDUE)
    heard.note("tier-changed", change("New", "VIP"))
    assert heard.tier_changes("C") == [("New", "VIP", "P", 5)]
    assert heard.owed("C", {"I1": "P1"}) == [
        ("payment-overdue", datetime.date(2017, 3, 9), {"P1": 700}, {"?": 300})
    ]
    assert heard.tier_changes("somebody else") == heard.expiring("C") == []


def test_points_of_one_day_are_added_up() -> None:
    heard = Heard()
    lots = [loyalty_pb2.ExpiringLot(points=points, expires_on=day(14)) for points in (3, 4)]
    heard.note("points-expiring", loyalty_pb2.PointsExpiring(customer_id="C", lots=lots, local_date=day(1)))
    assert heard.expiring("C") == [(datetime.date(2017, 3, 1), {datetime.date(2017, 3, 14): 7})]


async def test_an_event_that_was_sent_twice_is_heard_once(kafka_bootstrap: str) -> None:
    prefix = f"t{uuid.uuid4().hex[:8]}."
    await topics.ensure(
        Broker(kafka_bootstrap), [topics.TopicSpec(prefix + name, 3) for name in ("loyalty", "credit")]
    )
    said = [
        ("loyalty", Outgoing("tier-changed", "toko", "C", change("New", "VIP"), SAID_AT)),
        ("loyalty", Outgoing("points-earned", "toko", "C", loyalty_pb2.PointsEarned(), SAID_AT)),
        ("credit", Outgoing("payment-overdue", "toko", "C", OVERDUE, SAID_AT)),
    ]
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for topic, event in [*said, *said]:
            record = as_record(event, topic, 0)
            await producer.send_and_wait(
                prefix + topic, record.value, key=record.key, headers=list(record.headers)
            )
    heard = await listen(kafka_bootstrap, prefix)
    assert len(heard.tier_changes("C")) == 1
    assert len(heard.owed("C", {})) == 1
