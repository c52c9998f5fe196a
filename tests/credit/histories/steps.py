"""Random histories: what tills, staff, customers' events and time do to one shop, in any order.

A step names what it concerns as the latest, the one before it, and so on, or as a new one; then names become
ids. So most steps meet what is there, some the same again or something else, and histories shrink well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

DAY = 24 * 60  # minutes
Strategy = st.SearchStrategy[Any]
Thing = tuple[int, int]  # whose, and which of theirs


@dataclass(frozen=True)
class Step:
    """Something that happens, and to what."""

    do: str
    args: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        return f"step({', '.join([repr(self.do), *(f'{k}={v!r}' for k, v in self.args)])})"


Round = Sequence[Step]  # what happens at once


def step(do: str, **args: Any) -> Step:
    """A step, as a counterexample prints it."""
    return Step(do, tuple(args.items()))


def _weighted(weights: Mapping[Strategy, int]) -> Strategy:
    each = [strategy for strategy, weight in weights.items() for _ in range(weight)]
    return st.sampled_from(each).flatmap(lambda chosen: chosen)


def _often(usual: Any, *seldom: Any, of: int = 10) -> Strategy:
    """`usual`, and each of the others once in `of` times."""
    return st.sampled_from([usual] * (of - len(seldom)) + list(seldom))


def _step(do: str, **args: Strategy) -> Strategy:
    return st.fixed_dictionaries(args).map(lambda found: step(do, **found))


# How far back: 0 is a new one, 1 the latest.
NEW = _often(0, 1, 2, of=8)
KNOWN = st.sampled_from([1, 1, 1, 1, 2, 2, 3, 4, 5, 0])
WHO = st.sampled_from([0] * 6 + [1] * 4 + [2])
STRANGER = _often(None, 0, 1, of=30)
REQUEST = st.integers(0, 60)
AMOUNT = st.sampled_from([50, 30, 100, 10, 70, 150, 20, 60])
ODD = _weighted({AMOUNT: 15, st.sampled_from([0, -10]): 1})
LIMIT = st.sampled_from([300, 1000, 200, 500, 2000, 0])
NET_DAYS, DUE_DAY = st.sampled_from([7, 30, 0, 14]), _often(0, 1, 31, of=5)
TTL = st.sampled_from([None, None, None, 1, 60, DAY])
AGO = st.sampled_from([0, 0, 0, 0, 20, DAY, 20 * DAY])
TOLD_AGO = st.sampled_from([None, None, None, DAY, 40 * DAY, -10])
ZONE = st.sampled_from(["Asia/Jakarta", "Asia/Jakarta", "Asia/Makassar", "America/New_York"])
WORD = st.sampled_from(["", "first", "second"])
# An invoice, by what it came of: a purchase's tender, a captured hold, a reversed payment.
INVOICE = _weighted(
    {
        st.tuples(st.just("sale"), KNOWN, _often("t1", "t2")): 12,
        st.tuples(st.just("hold"), KNOWN): 2,
        st.tuples(st.just("reversal"), KNOWN): 1,
    }
)
TENDERS = st.lists(
    st.tuples(AMOUNT, st.sampled_from([None, 1, 1, 1, 1, 2, 2, 3, 0, "stranger's"])), min_size=1, max_size=2
)

AUTHORIZE = _step("authorize", who=WHO, hold=NEW, amount=ODD, ttl=TTL, dry_run=_often(False, True))
VOID, CAPTURE, EXTEND = (
    _step(do, who=WHO, hold=KNOWN, stranger=STRANGER, **args)
    for do, args in (
        ("void", {}),
        ("capture", {"amount": st.sampled_from([None, 10, 30, 50, 70, 10, 30, 0])}),
        ("extend", {"ttl": st.sampled_from([20, 60, DAY])}),
    )
)
SALE = _step(
    "sale",
    who=WHO,
    buyer=_often(None, 0, 1),
    nobody=_often(False, True, of=20),
    purchase=NEW,
    tenders=TENDERS,
    ago=AGO,
)
RETURN = _step(
    "take_back", who=WHO, purchase=KNOWN, back=NEW, amount=AMOUNT, tender=_often("t1", "t2", of=5),
    early=_often(False, True, of=30),
)  # fmt: skip
PAY = _step(
    "pay", who=WHO, payment=NEW, amount=ODD, ago=TOLD_AGO,
    named=_weighted({st.just([]): 2, st.lists(INVOICE, min_size=1, max_size=2, unique=True): 1}),
    method=_often("CASH", "GIRO", of=3), allow=_often(True, False, of=3), reference=WORD,
)  # fmt: skip
CONFIRM = _step("confirm", who=WHO, payment=KNOWN, stranger=STRANGER, request=REQUEST, ago=TOLD_AGO)
REVERSE = _step(
    "reverse",
    who=WHO,
    payment=KNOWN,
    stranger=STRANGER,
    request=REQUEST,
    reason=_often("BOUNCED", "MISTAKE", of=3),
)
PAY_OUT = _step("pay_out", who=WHO, payout=st.integers(0, 9), amount=ODD, reference=WORD)
WRITE_OFF = _step(
    "write_off", who=WHO, request=REQUEST, invoice=INVOICE, reason=st.sampled_from(["gone", "old"])
)

OPEN = _step("open", who=WHO, request=REQUEST, limit=LIMIT, net_days=NET_DAYS, due_day=DUE_DAY, zone=ZONE)
LIMITS = _step("limit", who=WHO, request=REQUEST, limit=_weighted({LIMIT: 5, st.just(-1): 1}), reason=WORD)
TERMS = _step("terms", who=WHO, request=REQUEST, net_days=NET_DAYS, due_day=DUE_DAY, reason=WORD)
OVERRIDE = _step(
    "override",
    who=WHO,
    request=REQUEST,
    limit=LIMIT,
    reason=WORD,
    minutes=st.sampled_from([60, DAY, 0, None]),
)
SUSPEND, RESUME, CLOSE = (
    _step(do, who=WHO, request=REQUEST, reason=WORD) for do in ("suspend", "resume", "close")
)
REGISTER = _step("register", who=WHO, wished=st.just(500))
ERASE = _step("erase", who=st.sampled_from([2, 2, 1]))
MERGE = _step("merge", who=st.sampled_from([1, 2]))
REMIND = _step("remind", who=WHO, request=REQUEST)
RESOLVE = _step(
    "resolve", who=WHO, request=REQUEST, exception=st.integers(0, 3), text=st.sampled_from(["ok", "paid"])
)
WAIT = _step(
    "wait",
    minutes=st.sampled_from([16, 1, 5, 60, 16, 5, DAY, DAY, 8 * DAY, 20 * DAY, 40 * DAY]),
    heard_ago=st.sampled_from([0, 0, 0, 30, None]),
)
AGAIN = _step("again", back=st.integers(1, 6))

# What may happen at once, in any order that the answers agree with.
TOGETHER = _weighted(
    {AUTHORIZE: 8, SALE: 4, PAY: 4, CAPTURE: 2, VOID: 1, RETURN: 2, REVERSE: 2, CONFIRM: 1, EXTEND: 1,
     PAY_OUT: 1, WRITE_OFF: 1, AGAIN: 2}
)  # fmt: skip
ALONE = _weighted(
    {AUTHORIZE: 14, SALE: 12, PAY: 11, WAIT: 12, RETURN: 7, CAPTURE: 5, REVERSE: 5, AGAIN: 5, CONFIRM: 4,
     VOID: 3, PAY_OUT: 3, WRITE_OFF: 3, EXTEND: 2, RESUME: 2, OPEN: 2, OVERRIDE: 2, REMIND: 2, RESOLVE: 2,
     LIMITS: 2, TERMS: 1, SUSPEND: 1, CLOSE: 1, REGISTER: 1, ERASE: 1, MERGE: 2, st.just(step("replay")): 1}
)  # fmt: skip
_RUSH = _step("authorize", who=WHO, hold=NEW, amount=AMOUNT, ttl=st.just(None), dry_run=_often(False, True))
_ROUND = _weighted(
    {
        st.just(()): 1,
        ALONE.map(lambda one: (one,)): 8,
        st.lists(TOGETHER, min_size=2, max_size=4).map(tuple): 2,
        st.lists(_RUSH, min_size=3, max_size=6).map(tuple): 1,
    }
)


@st.composite
def histories(draw: st.DrawFn) -> list[Round]:
    """Two customers with accounts, a third one without, and what happens to them."""
    limits = st.sampled_from([300, 1000, 500])
    terms: dict[str, Any] = {"net_days": draw(NET_DAYS), "due_day": 0, "zone": draw(ZONE)}
    opened: list[Round] = [
        (step("open", who=who, request=100 + who, limit=draw(limits), **terms),) for who in (0, 1)
    ]
    names = _Names()
    return [r for r in map(names.round, [*opened, *draw(st.lists(_ROUND, min_size=26, max_size=34))]) if r]


@dataclass
class _Names:
    """Which things a history has spoken of; gives each step the ids of those that it means."""

    known: dict[str, list[Thing]] = field(default_factory=dict)
    done: list[Step] = field(default_factory=list)

    def round(self, together: Round) -> Round:
        """Return the same round with ids, and in the place of "again" what it repeats."""
        before = len(self.done)
        for one in together:
            args = dict(one.args)
            if one.do != "again":
                self.done.append(step(one.do, **self._named(one.do, args)))
            elif args["back"] <= len(self.done):
                self.done.append(self.done[-args["back"]])
        return tuple(self.done[before:])

    def _thing(self, kind: str, back: int, who: int) -> Thing:
        """The `back`th latest thing of a kind, whoever's it is; a new one of `who` where there is none."""
        known = self.known.setdefault(kind, [])
        if 0 < back <= len(known):
            return known[-back]
        known.append((who, len(known)))
        return known[-1]

    def _named(self, do: str, args: dict[str, Any]) -> dict[str, Any]:
        for kind in ("hold", "payment", "purchase", "back"):
            if kind in args:
                args[kind] = self._thing(kind, args[kind], args["who"])
        thing = args.get("hold") or args.get("payment")
        if "stranger" in args and thing:
            stranger = args.pop("stranger")
            args["who"] = thing[0] if stranger is None else stranger
        for kind, made in (("purchase", "sale"), ("hold", "capture"), ("payment", "reverse")):
            if do == made:
                self.known.setdefault(made, []).append(args[kind])
        if do == "sale":
            args["tenders"] = [(amount, self._hold_of(args["who"], hold)) for amount, hold in args["tenders"]]
        if "invoice" in args:
            args["invoice"] = self._invoice(args, *args["invoice"])
        if "named" in args:
            args["named"] = list(dict.fromkeys(self._invoice(args, *each) for each in args["named"]))
        return args

    def _hold_of(self, who: int, back: int | str | None) -> Thing | None:
        """A hold of who pays, a new one where there are not so many; or somebody else's."""
        if back is None:
            return None
        known = [hold for hold in self.known.get("hold", []) if (hold[0] == who) != (back == "stranger's")]
        nth = 1 if isinstance(back, str) else back
        return known[-nth] if 0 < nth <= len(known) else self._thing("hold", 0, who)

    def _invoice(self, args: dict[str, Any], kind: str, back: int, *tender: str) -> tuple[Any, ...]:
        """An invoice, by preference of the customer who is meant."""
        of, made = {
            "sale": ("purchase", "sale"), "hold": ("hold", "capture"), "reversal": ("payment", "reverse")
        }[kind]  # fmt: skip
        own = [thing for thing in self.known.get(made, []) if thing[0] == args["who"]]
        thing = own[-back] if 0 < back <= len(own) else self._thing(of, back, args["who"])
        return (kind, thing, *tender)


def one_by_one(history: Sequence[Round]) -> list[Round]:
    """The same history with nothing at once."""
    return [(one,) for together in history for one in together]
