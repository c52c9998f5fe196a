"""Strangers at every door: each method of the contract, each wrong token, and each other merchant's books."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import asyncpg
import grpc
import pytest

from kit.testing import Keys
from local.services import SERVICES
from local.stack import Stack
from local.tokens import all_scopes, service_subject
from tests.system.methods import METHODS, Door, Metadata, Method, Outcome, bearer
from tests.system.shops import Names, Shop, shop_of
from tests.system.strangers import OWNER_HEARS, REQUESTS

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
MERCHANT_METADATA = "langganan-merchant"


class Wallet:
    """Tokens of every kind, good and bad, for one method."""

    def __init__(self, stack: Stack, method: Method, forgers: Keys) -> None:
        self._stack, self._method, self._forgers = stack, method, forgers
        # A till's token with every scope, those between services included: what fails is not the scope.
        self.all = sorted({*all_scopes(), method.scope})

    def no_token(self) -> Metadata:
        return ()

    def expired(self) -> Metadata:
        return bearer(self._stack.keys.till("toko-lain", self.all, hours=-1))

    def wrong_key(self) -> Metadata:
        return bearer(self._forgers.token(merchant="toko-lain", scopes=" ".join(self.all)))

    def wrong_audience(self) -> Metadata:
        return bearer(self._stack.token(self.all, merchant="toko-lain", audience="someone-else"))

    def missing_scope(self) -> Metadata:
        others = [scope for scope in self.all if scope != self._method.scope]
        return bearer(self._stack.token(others, merchant="toko-lain"))

    def service_without_its_scope(self) -> Metadata:
        subject = service_subject("loyalty")  # calls nobody
        token = self._stack.keys.cluster(subject, hours=1)
        return bearer(token, langganan_merchant="toko-lain")

    def service_without_merchant(self) -> Metadata:
        return bearer(self._stack.keys.cluster(service_subject("notify"), hours=1))

    def till_naming_a_merchant(self) -> Metadata:
        token = self._stack.token(self.all, merchant="toko-lain")
        return bearer(token, langganan_merchant="toko-lain")


KNOCKS: Mapping[str, tuple[Callable[[Wallet], Metadata], grpc.StatusCode, str]] = {
    "no token": (Wallet.no_token, UNAUTHENTICATED, "TOKEN_MISSING"),
    "expired": (Wallet.expired, UNAUTHENTICATED, "TOKEN_EXPIRED"),
    "wrong key": (Wallet.wrong_key, UNAUTHENTICATED, "TOKEN_INVALID"),
    "wrong audience": (Wallet.wrong_audience, UNAUTHENTICATED, "TOKEN_WRONG_AUDIENCE"),
    "missing scope": (Wallet.missing_scope, DENIED, "MISSING_SCOPE"),
    "service without its scope": (Wallet.service_without_its_scope, DENIED, "MISSING_SCOPE"),
    "service token without merchant": (Wallet.service_without_merchant, UNAUTHENTICATED, "MERCHANT_MISSING"),
    "till token naming one": (Wallet.till_naming_a_merchant, DENIED, "MERCHANT_NOT_ALLOWED"),
}


@pytest.fixture(scope="session")
def forgers(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A key that no service knows."""
    return Keys(tmp_path_factory.mktemp("forgers"))


@pytest.mark.parametrize("knock", KNOCKS)
@pytest.mark.parametrize("name", sorted(METHODS))
async def test_every_method_refuses_every_wrong_token(
    name: str, knock: str, stack: Stack, door: Door, forgers: Keys
) -> None:
    show, code, reason = KNOCKS[knock]
    method = METHODS[name]
    outcome = await door.knock(method, method.request({}), show(Wallet(stack, method, forgers)))
    assert (outcome.code, outcome.reason) == (code, reason)


@dataclass(frozen=True)
class Tried:
    """One method as another merchant tried it, and as its owner then did, with the same request."""

    real: Outcome
    invented: Outcome
    changed: list[str]
    owner: Outcome
    revealed: set[str]
    page: str  # what became of the owner's page token in the stranger's hand; empty: there was none
    masked: Callable[[Outcome], str]


@pytest.fixture(scope="session")
async def tried(stack: Stack, door: Door) -> dict[str, Tried]:
    """Let a stranger, a merchant with all scopes, try every method on the objects of another."""
    owner, stranger = (shop_of(stack, door, kind) for kind in ("pemilik", "asing"))
    await owner.open()
    await stranger.open()
    await owner.furnish()
    await stack.settled()
    # The names that the stranger's own shop keeps are not the owner's, and nobody holds the invented ones.
    invented = Names.invented()
    books = partial(_books, stack, owner.merchant)
    before, found = await books(), {}
    for name, build in sorted(REQUESTS.items()):
        request = build(owner.names)
        real = await stranger.knock(name, request)
        nobody = await stranger.knock(name, build(invented))
        after = await books()
        changed = sorted(table for table in after if after[table] != before[table])
        before = after
        known = str(request)
        revealed = {word for word in owner.secrets() if word not in known and word in real.text()}
        found[name] = (request, real, nobody, changed, revealed)
    await stack.settled()
    late = {table for table, rows in (await books()).items() if rows != before[table]}
    assert not late, f"what a stranger did reached the owner's {late} afterwards"
    pages = {name: await _page(owner, stranger, name) for name in sorted(METHODS)}
    masked = partial(_masked, owner.names, invented)
    return {
        name: Tried(real, nobody, changed, await owner.knock(name, request), revealed, pages[name], masked)
        for name, (request, real, nobody, changed, revealed) in found.items()
    }


async def _page(owner: Shop, stranger: Shop, name: str) -> str:
    """Give a token of the owner's second page, where there is one, to the stranger."""
    if "page_token" not in METHODS[name].descriptor.input_type.fields_by_name:
        return ""
    content = {**REQUESTS[name](owner.names), "pageSize": 1}
    first = await owner.call(name, content)
    if not first.next_page_token:
        return ""
    assert (await owner.knock(name, {**content, "pageToken": first.next_page_token})).ok
    return (await stranger.knock(name, {**content, "pageToken": first.next_page_token})).reason


async def _books(stack: Stack, merchant: str) -> dict[str, str | None]:
    """Return a digest of what each table of each database holds of a merchant."""
    digests: dict[str, str | None] = {}
    for database in (*SERVICES, "vault"):
        conn = await asyncpg.connect(stack.database_urls[database])
        tables = await conn.fetch(
            "SELECT table_name FROM information_schema.columns JOIN information_schema.tables "
            "USING (table_schema, table_name) WHERE column_name = 'merchant_id' AND table_schema = 'public' "
            "AND table_type = 'BASE TABLE'"
        )
        for (table,) in tables:
            rows = f"SELECT t::text AS row FROM {table} t WHERE merchant_id = $1"
            digests[f"{database}.{table}"] = await conn.fetchval(
                f"SELECT md5(string_agg(row, '|' ORDER BY row)) FROM ({rows}) AS rows", merchant
            )
        await conn.close()
    return digests


def _masked(real: Names, invented: Names, outcome: Outcome) -> str:
    """What an outcome says, whoever and whenever it is about."""
    text = f"{outcome.code} {outcome.reason}\n{outcome.text()}"
    for names in (real, invented):
        for word in sorted(vars(names).values(), key=len, reverse=True):
            text = text.replace(word, "·")
    uuids, customers, numbers = r"[0-9a-f]{8}-[0-9a-f-]{27}", r"\b[0-9A-HJKMNP-TV-Z]{13}\b", r"\d{6,}"
    versions = r"\bversion: \d+"  # each write of the stranger's own makes another
    return re.sub(f"{uuids}|{customers}|{numbers}|{versions}", "·", text)


@pytest.mark.parametrize("name", sorted(METHODS))
async def test_no_method_lets_a_merchant_into_anothers_books(name: str, tried: dict[str, Tried]) -> None:
    result = tried[name]
    assert result.changed == [], "a stranger changed what is the owner's"
    assert result.revealed == set(), "a stranger was told what is the owner's"
    # What is another's looks like what does not exist, so that nobody learns even that it is there.
    assert result.masked(result.real) == result.masked(result.invented)


async def test_a_page_token_is_of_no_use_to_another_merchant(tried: dict[str, Tried]) -> None:
    pages = {name: result.page for name, result in tried.items() if result.page}
    assert set(pages.values()) == {"INVALID_PAGE_TOKEN"}, pages
    assert len(pages) >= 3


@pytest.mark.parametrize("name", sorted(METHODS))
async def test_the_requests_that_strangers_were_refused_are_valid(name: str, tried: dict[str, Tried]) -> None:
    outcome = tried[name].owner
    assert outcome.reason == OWNER_HEARS.get(name, ""), outcome.detail
