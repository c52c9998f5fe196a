"""Where features of credit meet: what each promises alone holds for them together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from credit.accounts import store_limits
from kit.ids import new_uuid
from langganan.credit.v1 import accounts_pb2 as pb
from tests.credit import limiting
from tests.credit.conftest import NOON, rupiah
from tests.credit.merging import audit_passes, explained, merge
from tests.credit.offline import grant, hand_in, promise, spent, why
from tests.credit.paying import confirming, giro, owing, reverse, reversing
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


async def test_a_sale_that_is_published_again_as_the_survivors_is_counted_and_posted_once(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    await limiting.choose(credit, **limiting.HALF)
    february = NOON - timedelta(days=20)
    paid = limiting.sale(credit, absorbed, 70_000, at=february)
    back = limiting.returned(credit, paid, 10_000, at=NOON)
    owed = credit.sale(absorbed, (5_000, None))
    await credit.deliver(paid, back, owed)
    await merge(credit, absorbed, survivor)
    for event in (paid, back, owed):
        event.payload.customer_id = survivor
        await credit.deliver(replace(event, key=survivor, id=new_uuid()))
    assert (await credit.account(survivor)).posted == rupiah(5_000)
    assert (await limiting.by_policy(credit, survivor)).limit == rupiah((70_000 - 10_000) // 2)
    await audit_passes(credit)


async def test_what_is_handed_in_under_both_ids_counts_once_and_is_given_back_once(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    allowance_id = await grant(credit, 100_000, customer_limit=60_000)
    theirs, ours = promise(absorbed, 40_000), promise(survivor, 30_000)
    await hand_in(credit, allowance_id, theirs, ours)
    await merge(credit, absorbed, survivor)
    other = promise(survivor, 40_000, theirs.hold_id)
    again = await hand_in(credit, allowance_id, theirs, ours, other, promise(absorbed, 1_000))
    # The same wish again, another under its id, and one for which the two together left nothing.
    assert [why(each) for each in again] == ["", "", "IDEMPOTENCY_CONFLICT", ""]
    assert await spent(credit, allowance_id) == (70_000, 1_000)
    for customer in (survivor, absorbed, survivor):
        await credit.void(customer, theirs.hold_id)
    assert await spent(credit, allowance_id) == (30_000, 1_000)
    await credit.deliver(credit.sale(absorbed, (30_000, ours.hold_id)))
    account = await credit.account(absorbed)
    assert (account.posted, account.held) == (rupiah(30_000), rupiah(1_000))
    await credit.check_books(survivor)
    await audit_passes(credit)


async def test_reversals_after_a_merge_make_owed_again_what_both_had_paid(credit):
    absorbed, _ = await owing(credit, 30_000, 20_000)
    survivor, _ = await owing(credit, 10_000)
    theirs = await credit.pay(absorbed, 55_000, allow=True)
    ours = await credit.pay(survivor, 17_000, allow=True)
    pending = [await giro(credit, absorbed, amount, allow_credit_balance=True) for amount in (900, 800)]
    await merge(credit, absorbed, survivor)
    await credit.deliver(credit.sale(absorbed, (9_000, None)))  # takes of the credit balance of both

    async def net():
        account = await credit.account(survivor)
        await explained(credit, survivor)
        await credit.check_books(survivor)
        return account.posted.units - account.credit_balance.units

    for noted, customer in zip(pending, (absorbed, survivor), strict=True):
        await credit.payments.ConfirmPayment(confirming(noted, customer_id=customer))
    assert await net() == 69_000 - 55_000 - 17_000 - 1_700
    undoing = [reversing(theirs), reversing(ours, customer_id=absorbed), *map(reversing, pending)]
    first = [await credit.payments.ReversePayment(each) for each in undoing]
    assert await net() == 69_000
    again = [await credit.payments.ReversePayment(each) for each in undoing]
    assert [r.payment for r in again] == [r.payment for r in first]
    assert await net() == 69_000
    await audit_passes(credit)
