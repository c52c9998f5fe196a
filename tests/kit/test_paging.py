"""Page tokens: opaque, bound to their filter, and refused when damaged, for anybody can make one up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit import paging
from kit.errors import InvalidArgument

ROW = (datetime(2026, 3, 2, 5, 0, 0, 123456, tzinfo=UTC), "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b")
NOON = "2026-03-02T05:00:00+00:00"


def test_a_token_leads_to_where_its_page_ended() -> None:
    token = paging.next_token([ROW, ROW], 1, lambda row: row, "filter")
    assert paging.before(token, "filter") == ROW
    assert paging.next_token([ROW], 1, lambda row: row, "filter") == ""
    assert paging.before("", "filter") is None


def test_a_token_of_ids_alone_leads_to_the_last_one() -> None:
    assert paging.after(paging.encode([7], "filter"), int, "filter") == 7
    assert paging.after("", int, "filter") is None


def test_a_token_of_another_filter_is_refused() -> None:
    token = paging.next_token([ROW, ROW], 1, lambda row: row, "filter")
    with pytest.raises(InvalidArgument):
        paging.before(token, "other")


@pytest.mark.parametrize(
    "position",
    [[], [NOON], ["never", ROW[1]], ["x", "y"], [NOON, "x"], [1, 2], [1, 2, 3], [NOON[:-6], ROW[1]]],
)
def test_a_made_up_token_is_refused(position: list[Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        paging.before(paging.encode(position, "filter"), "filter")
    assert refused.value.reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("position", [["x"], [], [1, 2], [[1]], [{}]])
def test_a_made_up_token_of_one_id_is_refused(position: list[Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        paging.after(paging.encode(position, "filter"), int, "filter")
    assert refused.value.reason == "INVALID_PAGE_TOKEN"
