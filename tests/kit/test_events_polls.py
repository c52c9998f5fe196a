"""Polls: taken from all partitions, and cut so that a customer's events stay in one hand and in order."""

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from kit.events import polls

PARTITIONS = st.builds(TopicPartition, st.sampled_from(["customers", "loyalty"]), st.integers(0, 5))
POLLED = st.dictionaries(PARTITIONS, st.integers(1, 400), max_size=12).map(
    lambda sizes: {p: [(p.topic, p.partition, offset) for offset in range(n)] for p, n in sizes.items()}
)


@given(POLLED, st.integers(1, 500))
def test_lanes_lose_nothing_and_keep_a_number_together_and_in_order(polled, at_most) -> None:
    lanes = polls.lanes(polled, at_most)
    flat = [[record for part in lane for record in part] for lane in lanes]
    assert sorted(r for lane in flat for r in lane) == sorted(r for batch in polled.values() for r in batch)
    numbers = [{number for _, number, _ in lane} for lane in flat]
    assert sum(map(len, numbers)) == len(set().union(*numbers)), "a number in two lanes"
    for lane in flat:
        for partition, batch in polled.items():
            mine = [r for r in lane if r[:2] == (partition.topic, partition.partition)]
            assert mine in ([], batch)


@given(POLLED, st.integers(1, 500))
def test_lanes_are_within_their_bounds(polled, at_most) -> None:
    lanes = polls.lanes(polled, at_most)
    assert len(lanes) <= (polls.LANES if polls.size(polled) > polls.ALONE else 1)
    assert all(1 <= len(part) <= at_most for lane in lanes for part in lane)
