"""Waves: what makes one call a type and wave safe."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from kit.events import waves

EVENTS = st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from(["bought", "returned"])), max_size=60)


@given(EVENTS)
def test_a_wave_holds_each_customer_at_most_once(events: list[tuple[str, str]]) -> None:
    for wave in waves.cut(events, lambda e: e[0]):
        assert len({customer for customer, _ in wave}) == len(wave) > 0


@given(EVENTS)
def test_the_waves_keep_each_customers_order_and_lose_nothing(events: list[tuple[str, str]]) -> None:
    numbered = list(enumerate(events))
    flat = [event for wave in waves.cut(numbered, lambda e: e[1][0]) for event in wave]
    assert sorted(flat) == numbered
    for customer in "ABCDE":
        mine = [number for number, (who, _) in flat if who == customer]
        assert mine == sorted(mine)


@given(EVENTS)
def test_there_are_as_many_waves_as_the_busiest_customer_has_events(events: list[tuple[str, str]]) -> None:
    busiest = max((sum(who == customer for who, _ in events) for customer in "ABCDE"), default=0)
    assert len(waves.cut(events, lambda e: e[0])) == busiest


@given(EVENTS)
def test_groups_by_type_keep_the_order_within_a_type(events: list[tuple[str, str]]) -> None:
    numbered = list(enumerate(events))
    groups = waves.by_type(numbered, lambda e: e[1][1])
    assert sorted(e for group in groups.values() for e in group) == numbered
    for kind, group in groups.items():
        assert all(event[1][1] == kind for event in group)
        assert group == sorted(group)


@given(EVENTS)
def test_what_a_handler_folds_shares_a_wave_and_keeps_its_place(events: list[tuple[str, str]]) -> None:
    numbered = list(enumerate(events))
    cut = waves.cut(numbered, lambda e: e[1][0], lambda e: "bought" if e[1][1] == "bought" else None)
    for customer in "ABCDE":
        mine = [[e for e in wave if e[1][0] == customer] for wave in cut]
        assert [e for wave in mine for e in wave] == [e for e in numbered if e[1][0] == customer]
        for wave, following in itertools.pairwise(mine):
            kinds = [kind for _, (_, kind) in wave]
            assert kinds == ["returned"] or set(kinds) <= {"bought"}
            assert not (kinds and following and kinds[-1] == following[0][1][1] == "bought")
