"""Where features of credit meet: what each promises alone holds for them together."""

from __future__ import annotations

from credit.accounts import store_limits
from kit.ids import new_uuid
from langganan.credit.v1 import accounts_pb2 as pb
from tests.credit import limiting
from tests.credit.conftest import NOON, rupiah
from tests.credit.merging import audit_passes, merge
from tests.credit.paying import confirming, giro, reverse
from tests.credit.test_credit_erasures import erase
from tests.credit.test_credit_store_limits import limit, setting


def sen(credit, customer):
    """The request that corrects an account to count in hundredths."""
    correction = credit.opening(customer)
    correction.minor_digits = 2
    return correction


async def test_a_currency_is_not_corrected_under_a_giro_that_may_still_clear(credit, refused):
    customer = await credit.open()
    noted = await giro(credit, customer, 900, allow_credit_balance=True)
    assert await refused(credit.accounts.OpenAccount(sen(credit, customer))) == "ACCOUNT_EXISTS"
    confirmed = (await credit.payments.ConfirmPayment(confirming(noted))).payment
    assert confirmed.amount == noted.amount == rupiah(900)
    assert (await credit.account(customer)).credit_balance == rupiah(900)
    await audit_passes(credit)


async def test_a_currency_is_not_corrected_under_a_giro_that_never_cleared(credit, refused):
    customer = await credit.open()
    await reverse(credit, await giro(credit, customer, 900))
    assert await refused(credit.accounts.OpenAccount(sen(credit, customer))) == "ACCOUNT_EXISTS"
    zone = credit.opening(customer, zone="Asia/Jayapura")
    assert (await credit.accounts.OpenAccount(zone)).account.time_zone == "Asia/Jayapura"


async def test_a_currency_is_not_corrected_under_limits_of_stores(credit, refused):
    customer = await credit.open()
    await limit(credit, customer, "s1", 900)
    assert await refused(credit.accounts.OpenAccount(sen(credit, customer))) == "ACCOUNT_EXISTS"
    (of,) = (await credit.account(customer)).store_limits
    assert of.limit == rupiah(900)
    await limit(credit, customer, "s1", None)
    assert (await credit.accounts.OpenAccount(sen(credit, customer))).account.minor_digits == 2
    await audit_passes(credit)


async def test_who_is_merged_into_an_erased_customer_leaves_no_purchases_and_no_limit_of_a_policy(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    await limiting.choose(credit, **limiting.HALF)
    await limiting.by_policy(credit, absorbed)
    await credit.deliver(limiting.sale(credit, absorbed, 70_000, at=NOON))
    await credit.accounts.CloseAccount(
        pb.CloseAccountRequest(request_id=new_uuid(), customer_id=survivor, reason="asked for it")
    )
    await erase(credit, survivor)
    assert await credit.count("spend") == 1
    await merge(credit, absorbed, survivor)
    account = await credit.account(survivor)
    assert account.customer_erased
    assert not account.HasField("limit_by_policy")
    assert await credit.count("spend") == 0
    await audit_passes(credit)


async def test_limits_of_more_stores_than_may_be_set_can_be_lowered_and_taken_away(
    credit, refused, monkeypatch
):
    monkeypatch.setattr(store_limits, "STORES_MAX", 2)
    absorbed, survivor = await credit.open(), await credit.open()
    for store_id in ("s1", "s2"):
        await limit(credit, absorbed, f"a-{store_id}", 100)
        await limit(credit, survivor, f"b-{store_id}", 100)
    await merge(credit, absorbed, survivor)
    assert len((await credit.account(survivor)).store_limits) == 4
    await limit(credit, survivor, "a-s1", 50)
    for left in (3, 2):
        one_more = setting(survivor, "c", 1)
        assert await refused(credit.accounts.SetStoreLimit(one_more)) == "TOO_MANY_STORE_LIMITS"
        await limit(credit, survivor, f"a-s{left - 1}", None)
        assert len((await credit.account(survivor)).store_limits) == left
    await audit_passes(credit)


async def test_the_limit_of_an_erased_customer_is_no_policys(credit, refused):
    await limiting.choose(credit, **limiting.HALF)
    customer = await credit.open()
    await limiting.by_policy(credit, customer)
    await erase(credit, customer)
    assert await refused(limiting.by_policy(credit, customer)) == "CUSTOMER_ERASED"
    assert not (await credit.account(customer)).HasField("limit_by_policy")
    assert (await limiting.by_hand(credit, customer, 0)).customer_erased
    await audit_passes(credit)
