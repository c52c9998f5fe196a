"""What passes as a card number is refused; bar codes, serial and receipt numbers are not."""

import pytest

from kit import pan


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "paid with 4111 1111 1111 1111 today",
        "5555-5555-5555-4444",
        "378282246310005",
        "3782 822463 10005",
        "ref:6011111111111117;",
        "2223003122003222",
        "30569309025904",
        "3530111333300000",
        "6200000000000005",
    ],
)
def test_a_card_number_is_refused_in_any_text(text: str) -> None:
    with pytest.raises(pan.PanNotAllowed) as refused:
        pan.refuse(["before", text])
    assert refused.value.reason == "PAN_NOT_ALLOWED"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit is wrong
        "20261122000100",  # a receipt number
        "411111111111",  # too short
        "41111111111111110000",  # too long
        "4111 1111",
        "0000000000000",
        "٤١١١١١١١١١١١١١١١",  # digits of another script are no card number
    ],
)
def test_other_digits_pass(text: str) -> None:
    pan.refuse([text])


def test_digits_of_two_fields_are_not_one_number() -> None:
    pan.refuse(["41111111", "11111111"])


def test_a_bar_code_is_a_product_and_no_card() -> None:
    code = next(
        f"{n:013d}"
        for n in range(4_006_381_000_000, 4_006_381_999_999)
        if pan.is_gtin(f"{n:013d}") and pan.luhn(f"{n:013d}")
    )
    pan.refuse([code], unless=pan.is_gtin)
    with pytest.raises(pan.PanNotAllowed):
        pan.refuse([code])
    with pytest.raises(pan.PanNotAllowed):
        pan.refuse(["4111111111111111"], unless=pan.is_gtin)


def test_the_serial_number_of_a_phone_is_no_card() -> None:
    pan.refuse(["490154203237518"], unless=pan.is_imei)
    with pytest.raises(pan.PanNotAllowed):
        pan.refuse(["378282246310005"], unless=pan.is_imei)
