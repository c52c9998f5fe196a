"""Page tokens: opaque, bound to their filter, and refused when damaged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from credit import pages
from kit import paging
from kit.errors import InvalidArgument

ROW = (datetime(2026, 3, 2, 5, 0, 0, 123456, tzinfo=UTC), "0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b")


def test_a_token_leads_to_where_its_page_ended():
    token = pages.next_token([ROW, ROW], 1, lambda row: row, "filter")
    assert pages.before(token, "filter") == pages.Before(*ROW)
    assert pages.next_token([ROW], 1, lambda row: row, "filter") == ""
    assert pages.before("", "filter") == pages.Before()


@pytest.mark.parametrize(
    "position", [[], ["2026-03-02T05:00:00+00:00"], ["never", ROW[1]], [ROW[0].isoformat(), "x"], [1, 2, 3]]
)
def test_a_forged_token_is_refused(position):
    with pytest.raises(InvalidArgument) as refused:
        pages.before(paging.encode(position, "filter"), "filter")
    assert refused.value.reason == "INVALID_PAGE_TOKEN"


def test_a_token_of_another_filter_is_refused():
    token = pages.next_token([ROW, ROW], 1, lambda row: row, "filter")
    with pytest.raises(InvalidArgument):
        pages.before(token, "other")
