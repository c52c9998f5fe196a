"""What tills do: authorise, void, capture and extend."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from langganan.credit.v1 import holds_pb2
from tests.credit.conftest import TILL, rupiah
from tests.credit.histories.move import Move
from tests.credit.histories.plain import answer
from tests.credit.histories.steps import Thing
from tests.credit.reference import tills

if TYPE_CHECKING:
    from tests.credit.histories.play import Play


def authorize(play: Play, who: int, hold: Thing, amount: int, ttl: int | None, dry_run: bool) -> Move:
    customer, hold_id = play.customers[who], play.id("hold", *hold)
    request = holds_pb2.AuthorizeRequest(
        hold_id=hold_id, customer_id=customer, amount=rupiah(amount), origin=TILL, dry_run=dry_run,
        ttl=None if ttl is None else Duration(seconds=60 * ttl),
    )  # fmt: skip
    lives = None if ttl is None else timedelta(minutes=ttl)
    return Move(
        lambda books: tills.authorize(books, customer, hold_id, amount, lives, dry_run=dry_run),
        lambda: answer(play.credit.holds.Authorize(request)),
    )


def void(play: Play, who: int, hold: Thing) -> Move:
    customer, hold_id = play.customers[who], play.id("hold", *hold)
    request = holds_pb2.VoidRequest(hold_id=hold_id, customer_id=customer, origin=TILL)
    return Move(
        lambda books: tills.void(books, customer, hold_id), lambda: answer(play.credit.holds.Void(request))
    )


def capture(play: Play, who: int, hold: Thing, amount: int | None) -> Move:
    customer, hold_id = play.customers[who], play.id("hold", *hold)
    request = holds_pb2.CaptureRequest(
        hold_id=hold_id, customer_id=customer, origin=TILL, amount=None if amount is None else rupiah(amount)
    )
    return Move(
        lambda books: tills.capture(books, customer, hold_id, amount),
        lambda: answer(play.credit.holds.Capture(request)),
    )


def extend(play: Play, who: int, hold: Thing, ttl: int) -> Move:
    customer, hold_id = play.customers[who], play.id("hold", *hold)
    request = holds_pb2.ExtendHoldRequest(
        hold_id=hold_id, customer_id=customer, origin=TILL, ttl=Duration(seconds=60 * ttl)
    )
    return Move(
        lambda books: tills.extend(books, customer, hold_id, timedelta(minutes=ttl)),
        lambda: answer(play.credit.holds.ExtendHold(request)),
    )
