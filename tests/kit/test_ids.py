"""Ids: what callers may choose, and what can be read aloud."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import ids
from kit.errors import InvalidArgument
from kit.ids import (
    canonical_uuid,
    check_customer_id,
    derived_uuid,
    new_customer_id,
    new_uuid,
    normal_customer_id,
    valid_customer_id,
)


def test_a_new_uuid_is_random_and_of_version_4() -> None:
    made = {new_uuid() for _ in range(100)}
    assert len(made) == 100
    for value in made:
        assert str(uuid.UUID(value)) == value
        assert (uuid.UUID(value).version, uuid.UUID(value).variant) == (4, uuid.RFC_4122)


def test_a_canonical_uuid_passes_unchanged() -> None:
    value = str(uuid.uuid4())
    assert canonical_uuid(value, "hold_id") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "1A8DAA52-EA5A-447E-AA74-332AE7BEFB11",
        "78f72c61fccb4a70a87af58fc7dfc4ea",
        "{a7e7ae02-35b9-4c65-abd3-0ad0919f93c8}",
    ],
)
def test_any_other_form_of_a_uuid_is_refused_with_the_field(value: str) -> None:
    with pytest.raises(InvalidArgument, match="hold_id") as caught:
        canonical_uuid(value, "hold_id")
    assert caught.value.reason == "INVALID_ID"


@given(st.data())
def test_a_customer_id_with_one_wrong_character_is_noticed(data: st.DataObject) -> None:
    good = new_customer_id()
    assert valid_customer_id(good)
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.sampled_from([c for c in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" if c != good[place]]))
    assert not valid_customer_id(good[:place] + other + good[place + 1 :])


def test_an_id_is_read_as_people_type_it() -> None:
    good = new_customer_id()
    spoken = f"{good[:4].lower()} {good[4:8]}-{good[8:]}".replace("0", "O").replace("1", "l")
    assert normal_customer_id(spoken) == good


def test_an_invalid_customer_id_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_customer_id("0000000000001")
    assert caught.value.reason == "INVALID_CUSTOMER_ID"


def test_a_derived_id_depends_on_every_part_and_their_borders() -> None:
    assert derived_uuid("a", "b") == derived_uuid("a", "b")
    assert derived_uuid("a", "b") != derived_uuid("ab", "")


@given(st.lists(st.text()))
def test_a_derived_id_is_version_5_of_rfc_9562(parts: list[str]) -> None:
    assert derived_uuid(*parts) == str(uuid.uuid5(ids._NAMESPACE, "\x1f".join(parts)))


@given(st.text(max_size=16))
def test_what_is_no_customer_id_is_told_from_one(value: str) -> None:
    assert not valid_customer_id(value)
