"""The contract suite of occasions: subclass `OccasionContract` in your tests and give it your occasion.

    class TestMyOccasion(OccasionContract):
        def occasion(self):
            return MyOccasion(MyOccasion.Config())

It needs pytest. Every check is a promise that notify relies on.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from datetime import date, timedelta

from pydantic import BaseModel

from notify.occasions.plugins import CONTRACT, MonthDay, Occasion
from notify.templates import catalogue

# Ten years with three leap years among them, and the day before and behind.
_FIRST, _LAST = date(2023, 12, 31), date(2034, 1, 1)
_ASKED_AT_MOST = 31


class OccasionContract(ABC):
    """What every occasion must do."""

    @abstractmethod
    def occasion(self) -> Occasion:
        """Return a fresh occasion; two of them must agree."""

    def test_it_says_what_it_is(self) -> None:
        """Name, contract, configuration and kind are declared on the class; the kind has a template."""
        plugin = type(self.occasion())
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", plugin.name)
        assert plugin.contract == CONTRACT
        assert issubclass(plugin.Config, BaseModel)
        assert plugin.Config.model_json_schema()["type"] == "object"
        assert not catalogue.newest(plugin.kind).needs, "a greeting is made of nothing but a date"

    def test_the_same_day_always_says_the_same(self) -> None:
        """What is asked again within a day must find the same."""
        first, second = self.occasion(), self.occasion()
        for day in _days():
            assert list(first.born_on(day)) == list(first.born_on(day)) == list(second.born_on(day))
            assert first.period(day) == second.period(day)

    def test_days_of_birth_are_days_and_few(self) -> None:
        """Each is a day of some year, none comes twice a day, and a day asks for 31 at most."""
        occasion = self.occasion()
        for day in _days():
            born = list(occasion.born_on(day))
            assert len(set(born)) == len(born) <= _ASKED_AT_MOST
            for month, number in born:
                date(2000, month, number)  # a leap year

    def test_nobody_has_two_days_in_a_period(self) -> None:
        """A customer is greeted once a period, so a second day in it would never be heard."""
        occasion = self.occasion()
        days: Counter[tuple[str, MonthDay]] = Counter()
        for day in _days():
            days.update((occasion.period(day), born) for born in occasion.born_on(day))
        assert max(days.values(), default=1) == 1

    def test_a_period_is_a_short_word(self) -> None:
        """It becomes part of the message's cause."""
        occasion = self.occasion()
        for day in _days():
            assert re.fullmatch(r"[0-9A-Za-z.-]{1,32}", occasion.period(day))


def _days() -> list[date]:
    return [_FIRST + timedelta(days=n) for n in range((_LAST - _FIRST).days + 1)]
