"""Whose message leaves next: merchants take turns, and what is due takes turns with what was held."""

from datetime import date
from typing import Any

SUMMER = {date(2026, 6, 30): 500}


def senders(shop: Any) -> list[str]:
    """Whose mails the relay got, in that order: addresses without their number and domain."""
    return [address.split("@")[0].rstrip("0123456789") for address in shop.sent_to]


async def test_a_chains_backlog_does_not_hold_up_a_small_shops_message(
    start_notify: Any, purchase: Any
) -> None:
    """Each round takes from merchants in turn: the order in which the relay got the mails."""
    async with start_notify(send_batch=10) as shop:
        at = shop.run.clock.now()
        chain = [shop.book.add("chain", address=f"chain{n}@example.com") for n in range(50)]
        await shop.run.deliver(*(purchase(one, at, merchant="chain") for one in chain))
        for name in ("warung", "kios"):
            small = [shop.book.add(name, address=f"{name}{n}@example.com") for n in range(2)]
            await shop.run.deliver(*(purchase(one, at, merchant=name) for one in small))
        await shop.run.sweep("messages")
        assert sorted(senders(shop)) == ["chain"] * 6 + ["kios"] * 2 + ["warung"] * 2
        await shop.sweep_until_idle()
        assert len(shop.sink.taken) == 54


async def test_a_chains_held_messages_do_not_hold_up_a_small_shops_when_the_hour_comes(
    start_notify: Any, expiring: Any
) -> None:
    """The chain's customers live further east: theirs have waited an hour when the small shop's may go."""
    async with start_notify(send_batch=10) as shop:
        shop.book.quiet = (21, 8)
        at = shop.at("2026-03-05T23:30")
        chain = [
            shop.book.add("chain", address=f"chain{n}@example.com", zone="Asia/Makassar") for n in range(50)
        ]
        small = shop.book.add("warung", address="warung0@example.com")
        held = [expiring(one, at, SUMMER, merchant="chain") for one in chain]
        await shop.run.deliver(*held, expiring(small, at, SUMMER, merchant="warung"), topic="loyalty")
        await shop.sweep_until_idle()
        assert shop.sent_to == [], "all are held"
        shop.at("2026-03-06T08:00")
        await shop.sweep()
        assert sorted(senders(shop)) == ["chain"] * 9 + ["warung"]
        await shop.sweep_until_idle()
        assert len(shop.sent_to) == 51


async def test_a_stream_of_due_messages_and_a_backlog_of_held_ones_do_not_starve_each_other(
    start_notify: Any, expiring: Any, purchase: Any
) -> None:
    async with start_notify(send_batch=10) as shop:
        shop.book.quiet = (21, 8)
        at = shop.at("2026-03-05T23:30")
        night = [shop.book.add(address=f"held{n}@example.com") for n in range(8)]
        await shop.run.deliver(*(expiring(one, at, SUMMER) for one in night), topic="loyalty")
        await shop.sweep_until_idle()
        at = shop.at("2026-03-06T08:00")
        for sent in (5, 8):  # in every round as many are due anew as leave in one
            buyers = [shop.book.add(address=f"due{n}@example.com") for n in range(10)]
            await shop.run.deliver(*(purchase(one, at) for one in buyers))
            await shop.sweep()
            assert senders(shop).count("held") == sent
        assert senders(shop).count("due") == 12
