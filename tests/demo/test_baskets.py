"""The source's oddities reach the tills as the rules want them."""

import numpy as np
import pytest

from local.demo import baskets
from local.demo.baskets import Product


def columns(*rows: tuple[int, int, int, int, float, float, float, float, int]) -> baskets.Column:
    names = ["household_id", "basket_id", "product_id", "quantity", "sales_value"]
    names += ["retail_disc", "coupon_disc", "coupon_match_disc"]
    table = {name: np.array([row[at] for row in rows]) for at, name in enumerate(names)}
    table["store_id"] = np.full(len(rows), 330)
    stamps = [np.datetime64("2017-01-01T10:00:00") + np.timedelta64(row[8], "s") for row in rows]
    table["transaction_timestamp"] = np.array(stamps, dtype="datetime64[ns]")
    return table.__getitem__


def test_float_noise_becomes_whole_cents_and_a_cent_is_a_hundred_rupiah() -> None:
    noisy = np.array([0.1 + 0.2, 1.005, 2.999999999, 0.0])
    assert baskets.rupiah(noisy).tolist() == [3_000, 10_000, 30_000, 0]


def test_a_value_that_is_no_multiple_of_the_quantity_stays_exact() -> None:
    basket = baskets.Baskets(columns((1, 10, 1, 3, 1.00, 0, 0, 0, 0)))[0]
    assert (basket.lines[0].thousandths, basket.lines[0].net) == (3_000, 10_000)


def test_a_line_of_quantity_zero_is_kept_with_its_coupon() -> None:
    basket = baskets.Baskets(columns((1, 10, 1, 0, 0.0, 0, 0.55, 0, 0), (1, 10, 2, 1, 1.00, 0, 0, 0, 0)))[0]
    assert len(basket.lines) == 2
    assert basket.coupons == 5_500
    assert basket.voucher == 5_500


def test_coupons_beyond_the_total_pay_only_the_total() -> None:
    basket = baskets.Baskets(columns((1, 10, 1, 1, 0.50, 0, 0.75, 0, 0)))[0]
    assert (basket.coupons, basket.total, basket.voucher) == (7_500, 5_000, 5_000)


@pytest.mark.parametrize(
    ("department", "product_type", "kind"),
    [
        ("MISCELLANEOUS", "ELECTRONIC GIFT CARDS ACTIVATI", "STORED_VALUE"),
        ("GROCERY", "BOTTLE DEPOSITS", "DEPOSIT"),
        ("FLORAL", "FTD SERVICE CHARGES", "FEE"),
        ("PHOTO & VIDEO", "VIDEO RENTALS", "SERVICE"),
        ("DRUG GM", "CARDS EVERYDAY", "GOODS"),
    ],
)
def test_the_kind_of_a_line_follows_its_product(department: str, product_type: str, kind: str) -> None:
    assert baskets.kind_of(department, product_type) == kind


def test_petrol_is_thousandths_of_a_gallon_unless_its_volume_is_unknown() -> None:
    petrol = Product("P1", "GASOLINE-REG UNLEADED", (), "GOODS", True)
    assert baskets.quantity_of(petrol, 10_597) == (10_597, "gal")
    assert baskets.quantity_of(petrol, 1) == (1_000, "pcs")


def test_a_product_without_a_record_has_a_name_and_no_categories() -> None:
    line = baskets.Baskets(columns((1, 10, 999_999_999, 1, 1.0, 0, 0, 0, 0)))[0].lines[0]
    assert (line.product.name, line.product.categories, line.product.kind) == (
        "Produk 999999999",
        (),
        "GOODS",
    )


def test_baskets_come_in_time_order_with_their_lines_together() -> None:
    made = baskets.Baskets(
        columns(
            (2, 20, 1, 1, 1.0, 0, 0, 0, 60), (1, 10, 1, 1, 2.0, 0, 0, 0, 0), (2, 20, 2, 1, 3.0, 0, 0, 0, 60)
        )
    )
    assert [(basket.basket_id, len(basket.lines), basket.total) for basket in made] == [
        (10, 1, 20_000),
        (20, 2, 40_000),
    ]


def test_a_sample_takes_whole_households_until_there_are_enough() -> None:
    household = np.repeat(np.arange(50), 20)
    basket = np.arange(1000)
    chosen = baskets.sample(household, basket, 130, seed=3)
    assert len(chosen) == 7
    assert chosen.tolist() == baskets.sample(household, basket, 130, seed=3).tolist()


def test_a_run_of_the_real_data_spans_the_year_and_keeps_every_line() -> None:
    made = baskets.load(300, seed=1)
    assert len(made) >= 300
    assert sum(len(basket.lines) for basket in made) == made.lines_in_all
    assert (made.at[-1] - made.at[0]) > 300 * 86_400
    assert [basket.total for basket in made] == made.totals.tolist()


def test_all_of_the_source_is_played_and_nothing_is_dropped() -> None:
    made = baskets.load(None, seed=1)
    assert len(made) == 155_848
    assert made.lines_in_all == 1_469_307
    assert int((made.totals == 0).sum()) == 478
