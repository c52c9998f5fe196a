"""Histories written by hand: together they come to every kind of outcome that there is."""

from __future__ import annotations

from typing import Any

from tests.credit.histories.steps import DAY, Round, Step, step

JAKARTA = "Asia/Jakarta"


def opened(who: int = 0, limit: int = 500, net_days: int = 7, **args: Any) -> Step:
    """An account with a limit."""
    given = {"request": 100 + who, "due_day": 0, "zone": JAKARTA} | args
    return step("open", who=who, limit=limit, net_days=net_days, **given)


def asked(hold: int = 0, amount: int = 50, who: int = 0, **args: Any) -> Step:
    """An authorisation."""
    return step(
        "authorize", who=who, hold=(who, hold), amount=amount, **({"ttl": None, "dry_run": False} | args)
    )


def sold(purchase: int = 0, *tenders: tuple[int, int | None], who: int = 0, **args: Any) -> Step:
    """A sale under holds of its payer."""
    under = [(amount, None if hold is None else (who, hold)) for amount, hold in tenders]
    given = {"buyer": None, "nobody": False, "ago": 0} | args
    return step("sale", who=who, purchase=(who, purchase), tenders=under, **given)


def back(number: int = 0, purchase: int = 0, amount: int = 50, who: int = 0, **args: Any) -> Step:
    """A return."""
    given = {"tender": "t1", "early": False} | args
    return step("take_back", who=who, purchase=(who, purchase), back=(who, number), amount=amount, **given)


def paid(payment: int = 0, amount: int = 50, who: int = 0, **args: Any) -> Step:
    """A payment."""
    given = {"ago": None, "named": [], "method": "CASH", "allow": True, "reference": ""} | args
    return step("pay", who=who, payment=(who, payment), amount=amount, **given)


def reversed_(payment: int = 0, request: int = 0, who: int = 0, owner: int = 0) -> Step:
    """A reversal."""
    return step("reverse", who=who, payment=(owner, payment), request=request, reason="BOUNCED")


def confirmed(payment: int = 0, request: int = 0, who: int = 0) -> Step:
    """A giro that cleared."""
    return step("confirm", who=who, payment=(0, payment), request=request, ago=None)


def held(do: str, hold: int = 0, who: int = 0, owner: int = 0, **args: Any) -> Step:
    """What is done with a hold."""
    return step(do, who=who, hold=(owner, hold), **args)


def changed(do: str, request: int = 0, who: int = 0, **args: Any) -> Step:
    """What staff change of an account."""
    return step(do, who=who, request=request, reason="", **args)


def waited(minutes: int, heard_ago: int | None = 0) -> Step:
    """Time that passes."""
    return step("wait", minutes=minutes, heard_ago=heard_ago)


HOLDS = [
    opened(), opened(1), asked(0), asked(0), asked(0, 60), asked(0, who=1), asked(1, 0), asked(2, 600),
    asked(3, dry_run=True), held("capture", 0, amount=60), held("capture", 0, amount=30),
    held("capture", 0, amount=30), held("capture", 0, amount=20), held("void", 0),
    held("extend", 0, ttl=60), held("capture", 9, amount=None), held("capture", 2, amount=None),
    held("capture", 0, who=1, amount=None), held("void", 0, who=1), held("void", 5), asked(5),
    held("capture", 5, amount=None), asked(6), held("void", 6), held("void", 6), asked(7, ttl=1),
    held("extend", 7, ttl=20), waited(5), waited(16), held("capture", 7, amount=None),
    held("extend", 7, ttl=60), held("void", 7), held("extend", 2, ttl=60), asked(8, who=2), asked(9, ttl=1),
    waited(5, heard_ago=30), held("capture", 9, amount=None),
]  # fmt: skip

SALES = [
    opened(), opened(1), asked(0), sold(0, (30, 0)), held("capture", 0, amount=None), asked(1),
    sold(1, (70, 1)), asked(2, ttl=1), waited(16), sold(2, (50, 2)), held("void", 3), sold(3, (10, 3)),
    sold(4, (10, None), (20, 1)), sold(5, (30, None), who=2), asked(4), held("capture", 4, amount=30),
    sold(6, (50, 4)), asked(5), held("capture", 5, amount=50), sold(7, (50, 5)), sold(7, (50, 5)),
    sold(8, (20, None), nobody=True), back(0, 0, 10), back(0, 0, 10), back(1, 0, 100), back(2, 6, 50),
    step("resolve", who=0, request=1, exception=0, text="ok"),
    step("resolve", who=0, request=1, exception=0, text="ok"),
    step("resolve", who=0, request=2, exception=0, text="ok"),
    step("resolve", who=0, request=1, exception=1, text="ok"),
    step("resolve", who=0, request=3, exception=99, text="ok"), sold(9, (40, None), buyer=1), paid(0, 500),
    back(3, 9, 40), step("pay_out", who=0, payout=0, amount=30, reference="first"),
    step("pay_out", who=0, payout=0, amount=30, reference="first"),
    step("pay_out", who=0, payout=0, amount=31, reference="first"),
    step("pay_out", who=0, payout=1, amount=999, reference=""), sold(10, (20, None)),
    back(4, 11, 10, early=True), sold(12, (10, None)), step("replay"), asked(8, who=2), paid(1, 10, who=2),
    opened(2), step("register", who=2, wished=500), asked(9, who=2), step("erase", who=2), asked(10, who=2),
    opened(2, request=7), sold(13, (30, None), who=2), step("erase", who=2),
]  # fmt: skip

PAYMENTS = [
    opened(), opened(1), sold(0, (50, None), ago=20 * DAY), sold(1, (100, None)), paid(0, 500, allow=False),
    paid(0, 30), paid(0, 30), paid(0, 31), paid(1, 0), paid(2, 20, named=[("sale", (0, 1), "t1")]),
    paid(3, 20, named=[("hold", (0, 1))]), paid(4, 40, method="GIRO", reference="first"),
    reversed_(4, 1, who=1), confirmed(4, 2), confirmed(4, 2), confirmed(4, 3), confirmed(0, 2),
    reversed_(0, 4), reversed_(0, 4), reversed_(0, 5), confirmed(0, 6), paid(5, 10, method="GIRO"),
    reversed_(5, 7), confirmed(5, 8), paid(6, 300), sold(2, (30, None)), sold(3, (500, None)),
    reversed_(6, 9), paid(7, 900), step("pay_out", who=0, payout=0, amount=50, reference=""),
    reversed_(7, 10), step("remind", who=0, request=1), step("remind", who=0, request=1),
    step("remind", who=1, request=2), step("remind", who=1, request=1),
    step("write_off", who=0, request=1, invoice=("sale", (0, 1), "t1"), reason="old"),
    step("write_off", who=0, request=1, invoice=("sale", (0, 1), "t1"), reason="old"),
    step("write_off", who=0, request=2, invoice=("sale", (0, 1), "t1"), reason="old"),
    step("write_off", who=1, request=1, invoice=("sale", (0, 1), "t1"), reason="old"),
    step("write_off", who=1, request=3, invoice=("sale", (0, 1), "t1"), reason="old"), back(0, 1, 90),
    waited(60 * DAY), asked(0), step("remind", who=0, request=3), paid(8, 2000, ago=40 * DAY),
    paid(9, 10, ago=DAY), asked(1),
]  # fmt: skip

ACCOUNTS = [
    opened(), opened(request=1), opened(), opened(limit=501), opened(1), changed("limit", limit=300),
    changed("limit", limit=300), changed("limit", limit=301), changed("limit", 1, limit=-1),
    changed("terms", net_days=0, due_day=31), sold(0, (50, None)),
    changed("override", limit=900, minutes=60), changed("override", 1, limit=900, minutes=0), asked(0, 500),
    waited(DAY), asked(1, 500), changed("override", 2, limit=0, minutes=None), changed("suspend"), asked(2),
    opened(request=2), changed("resume"), changed("close"), changed("suspend", 5, who=2),
    sold(1, (10, None), who=2), changed("resume", 6, who=2), paid(0, 10, who=2), changed("close", 7, who=2),
    asked(3, who=2), changed("limit", 8, who=2, limit=100), opened(2), asked(4, who=2), held("void", 0),
    paid(1, 100), step("pay_out", who=0, payout=0, amount=50, reference=""), changed("close", 9),
]  # fmt: skip

MERGES = [
    opened(), opened(1, limit=300), asked(0), asked(0, who=1), asked(1, 70, who=1), sold(0, (70, 1), who=1),
    paid(0, 30, who=1, reference="first"), paid(0, 90), changed("override", limit=900, minutes=60),
    changed("limit", limit=200, who=1), sold(1, (20, None), who=2), step("merge", who=2), asked(2, who=2),
    step("merge", who=1), step("merge", who=1), paid(0, 30, who=1, reference="first"), asked(1, 70, who=1),
    asked(1, 70, who=0), reversed_(0, 1, who=2, owner=1), asked(3, who=2), back(0, 0, 40, who=1),
    held("capture", 0, who=0, owner=1, amount=None), held("void", 0, who=1), sold(2, (10, None), who=2),
    step("erase", who=2), asked(4), waited(60 * DAY),
]  # fmt: skip

TOURS: list[list[Round]] = [[(one,) for one in tour] for tour in (HOLDS, SALES, PAYMENTS, ACCOUNTS, MERGES)]
