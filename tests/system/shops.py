"""A merchant with one of everything: what a stranger would have to name to reach into their books."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from kit import ids
from kit.testing import eventually
from local.stack import Stack
from local.tokens import SERVICE_SCOPES, service_subject
from tests.system.methods import METHODS, Door, Metadata, Outcome, bearer, fresh

ORIGIN = {"storeId": "S1", "registerId": "R1", "staffRef": "kasir-1", "mode": "MODE_ONLINE"}
SALE_AT = "2026-03-02T02:30:00Z"


def rupiah(amount: int) -> dict[str, Any]:
    """Rupiah as JSON Money."""
    return {"currencyCode": "IDR", "units": str(amount)}


def basket(net: int) -> dict[str, Any]:
    """The line and total of a sale."""
    line = {
        "lineId": "1",
        "name": "Beras",
        "kind": "LINE_KIND_GOODS",
        "quantity": {"thousandths": "1000", "unit": "pcs"},
        "net": rupiah(net),
    }
    return {"lines": [line], "total": rupiah(net)}


def sale(purchase_id: str, customer_id: str, net: int, **tender: Any) -> dict[str, Any]:
    """A sale paid with one tender."""
    return {
        "purchaseId": purchase_id,
        "customerId": customer_id,
        "origin": ORIGIN,
        "occurredAt": SALE_AT,
        "tenders": [{"tenderId": "1", "amount": rupiah(net), **(tender or {"cash": {}})}],
        **basket(net),
    }


@dataclass(frozen=True)
class Names:
    """What names a merchant's objects, and only theirs."""

    customer_id: str
    customer_to_erase: str
    full_name: str
    phone: str
    email: str
    second_email: str
    member_code: str
    address: str
    store_id: str
    purchase_id: str
    hold_id: str
    hold_to_capture: str
    hold_to_void: str
    reservation_id: str
    reservation_to_release: str
    payment_id: str
    giro_id: str
    customer_in_credit: str
    customer_owing: str
    customer_to_close: str
    invoice_to_write_off: str
    invoice_id: str
    allowance_id: str
    allowance_to_end: str
    message_id: str
    customers_exception: str
    loyalty_exception: str
    credit_exception: str

    @classmethod
    def invented(cls) -> Names:
        """Names of the same shape that nobody holds."""
        word = secrets.token_hex(6)
        made = {name: fresh() for name in cls.__dataclass_fields__}
        digits = "".join(secrets.choice("123456789") for _ in range(9))
        return cls(
            **{
                **made,
                "customer_id": ids.new_customer_id(),
                "customer_to_erase": ids.new_customer_id(),
                "customer_in_credit": ids.new_customer_id(),
                "customer_owing": ids.new_customer_id(),
                "customer_to_close": ids.new_customer_id(),
                "full_name": f"Ibu {word.title()}",
                "phone": f"+62812{digits}",
                "email": f"{word}@example.com",
                "second_email": f"{word}.2@example.com",
                "member_code": f"M-{word}".upper(),
                "address": f"Jalan {word.title()} 7",
                "store_id": f"S-{word}",
            }
        )


class Shop:
    """A merchant as its own till, with all scopes, sees it."""

    def __init__(
        self, door: Door, merchant: str, metadata: Metadata, internal: Mapping[str, Metadata]
    ) -> None:
        self.door, self.merchant = door, merchant
        self._metadata, self._internal = metadata, internal
        self.names = Names.invented()

    def metadata(self, name: str) -> Metadata:
        """Return the best that this merchant can present for a method."""
        scope = METHODS[name].scope
        return self._internal.get(scope, self._metadata)

    async def knock(self, name: str, content: Mapping[str, Any]) -> Outcome:
        """Call a method as this merchant."""
        method = METHODS[name]
        return await self.door.knock(method, method.request(content), self.metadata(name))

    async def call(self, name: str, content: Mapping[str, Any]) -> Any:
        """Call a method that must be answered; return its reply."""
        outcome = await self.knock(name, content)
        assert outcome.ok, f"{name}: {outcome.reason}: {outcome.detail}"
        return outcome.replies[0]

    async def open(self) -> None:
        """Set the merchant, its store and its program."""
        merchant = {"name": f"Toko {self.merchant}", "currencyCode": "IDR", "timeZone": "Asia/Jakarta"}
        await self.call(
            "customers.v1.MerchantService/SetMerchant", {"requestId": fresh(), "merchant": merchant}
        )
        await self.call(
            "customers.v1.MerchantService/SetStore",
            {"requestId": fresh(), "store": {"storeId": self.names.store_id, "name": "Cabang"}},
        )
        await self.call(
            "loyalty.v1.ProgramService/SetProgram",
            {
                "requestId": fresh(),
                "program": {
                    "currencyCode": "IDR",
                    "effectiveFrom": "2026-01-01T00:00:00Z",
                    "earning": [{"plugin": "per_amount", "configJson": '{"step": 1000}'}],
                    "pointValue": rupiah(10),
                    "tiers": [{"name": "New"}, {"name": "VIP"}],
                },
            },
        )

    async def furnish(self) -> None:
        """Make one of everything that can be named, with the names that the services chose noted."""
        await self._register()
        names, customer = self.names, self.names.customer_id
        for hold in (names.hold_id, names.hold_to_capture, names.hold_to_void):
            content = {"holdId": hold, "customerId": customer, "amount": rupiah(20_000), "origin": ORIGIN}
            await self.call("credit.v1.HoldService/Authorize", content)
        await self.call(
            "customers.v1.PurchaseService/RecordPurchase", sale(names.purchase_id, customer, 50_000)
        )
        # Marked by who finds it: a buyer whom nobody knows, points and credit that nobody reserved.
        record = "customers.v1.PurchaseService/RecordPurchase"
        offline = sale(fresh(), ids.new_customer_id(), 1_000)
        await self.call(record, {**offline, "origin": {**ORIGIN, "mode": "MODE_OFFLINE"}})
        await self.call(record, sale(fresh(), customer, 1_000, points={"reservationId": fresh()}))
        await self.call(record, sale(fresh(), customer, 30_000, onAccount={"holdId": fresh()}))
        await self._points()
        await self._note()
        await self._pay(names.payment_id, customer, 1_000)
        await self._pay(names.giro_id, customer, 1_000, method="PAYMENT_METHOD_GIRO")
        await self._open_account(names.customer_in_credit)
        await self._pay(fresh(), names.customer_in_credit, 5_000, allowCreditBalance=True)
        await self._open_account(names.customer_to_close)
        for allowance in (names.allowance_id, names.allowance_to_end):
            await self.call("credit.v1.AllowanceService/GrantAllowance", granting(allowance))
        await self._open_account(names.customer_owing)
        hold = {"holdId": fresh(), "customerId": names.customer_owing, "origin": ORIGIN}
        await self.call("credit.v1.HoldService/Authorize", {**hold, "amount": rupiah(7_000)})
        charged = await self.call("credit.v1.HoldService/Capture", hold)
        self.names = replace(self.names, invoice_to_write_off=charged.hold.invoice_id)

    async def _pay(self, payment_id: str, customer_id: str, amount: int, **more: Any) -> None:
        await self.call(
            "credit.v1.PaymentService/RecordPayment",
            {
                "paymentId": payment_id,
                "customerId": customer_id,
                "amount": rupiah(amount),
                "method": "PAYMENT_METHOD_CASH",
                "occurredAt": SALE_AT,
                "origin": ORIGIN,
                **more,
            },
        )

    async def _open_account(self, customer_id: str) -> None:
        await self.call(
            "credit.v1.AccountService/OpenAccount",
            {
                "requestId": fresh(),
                "customerId": customer_id,
                "currencyCode": "IDR",
                "timeZone": "Asia/Jakarta",
                "limit": rupiah(500_000),
                "netDays": 14,
            },
        )

    async def _register(self) -> None:
        names = self.names
        made = await self.call(
            "customers.v1.CustomerService/CreateCustomer",
            {
                "requestId": fresh(),
                "customer": {
                    "fullName": names.full_name,
                    "address": names.address,
                    "birthDate": {"year": 1990, "month": 3, "day": 2},
                    "memberCodes": [names.member_code],
                    "contactPoints": [
                        {"channel": "CHANNEL_PHONE", "address": names.phone},
                        {"channel": "CHANNEL_EMAIL", "address": names.email},
                        {"channel": "CHANNEL_EMAIL", "address": names.second_email},
                    ],
                },
                "origin": ORIGIN,
            },
        )
        other = await self.call(
            "customers.v1.CustomerService/CreateCustomer",
            {"requestId": fresh(), "customer": {"fullName": "Bapak Lupakan"}},
        )
        self.names = names = replace(
            names,
            customer_id=made.customer.customer_id,
            customer_to_erase=other.customer.customer_id,
        )
        await self.call(
            "customers.v1.ContactService/SetConsent", consent(names, "CONSENT_STATE_GIVEN", names.email)
        )
        await self._open_account(names.customer_id)

    async def _points(self) -> None:
        names, customer = self.names, self.names.customer_id

        async def give() -> Outcome | None:
            content = {"adjustmentId": fresh(), "customerId": customer, "points": "500", "reason": "goodwill"}
            outcome = await self.knock("loyalty.v1.AccountService/AdjustPoints", content)
            return outcome if outcome.ok else None

        await eventually(give, within=30)  # the account follows from customer-registered
        for reservation in (names.reservation_id, names.reservation_to_release):
            await self.call(
                "loyalty.v1.RedemptionService/Reserve",
                {"reservationId": reservation, "customerId": customer, "points": "10", "origin": ORIGIN},
            )

    async def _note(self) -> None:
        """Wait until the services have found what is odd, and note what they named it."""
        customer = {"customerId": self.names.customer_id}

        async def first(name: str, field: str, content: Mapping[str, Any]) -> Any:
            async def look() -> Any:
                found = getattr((await self.call(name, content)), field)
                return found[0] if found else None

            return await eventually(look, within=30)

        odd, points, credit, invoice, message = await asyncio.gather(
            first("customers.v1.PurchaseService/ListExceptions", "exceptions", {}),
            first("loyalty.v1.RedemptionService/ListExceptions", "exceptions", customer),
            first("credit.v1.InvoiceService/ListExceptions", "exceptions", customer),
            first("credit.v1.InvoiceService/ListInvoices", "invoices", customer),
            first("notify.v1.MessageService/ListMessages", "messages", customer),
        )
        self.names = replace(
            self.names,
            customers_exception=odd.exception_id,
            loyalty_exception=points.exception_id,
            credit_exception=credit.exception_id,
            invoice_id=invoice.invoice_id,
            message_id=message.message_id,
        )

    def secrets(self) -> set[str]:
        """All that would reveal something of this merchant."""
        return {*asdict(self.names).values(), self.names.phone.removeprefix("+62"), f"Toko {self.merchant}"}


def granting(allowance_id: str) -> dict[str, Any]:
    """What a store may sell while it cannot ask."""
    return {
        "allowanceId": allowance_id,
        "storeId": "S-lain",  # a word of the allowance, not a resource: a stranger may use it too
        "amount": rupiah(100_000),
        "timeZone": "Asia/Jakarta",
        "validFrom": "2020-01-01T00:00:00Z",
        "validUntil": "2999-01-01T00:00:00Z",
    }


def consent(names: Names, state: str, address: str) -> dict[str, Any]:
    """Evidence about one address."""
    return {
        "requestId": fresh(),
        "customerId": names.customer_id,
        "purpose": "PURPOSE_MARKETING",
        "channel": "CHANNEL_EMAIL",
        "address": address,
        "state": state,
        "noticeVersion": "1",
        "noticeLanguage": "id",
        "method": "CONSENT_METHOD_TILL_SCREEN",
        "origin": ORIGIN,
    }


def shop_of(stack: Stack, door: Door, kind: str) -> Shop:
    """A shop of a merchant of its own, with all that its till and the services may present."""
    merchant = f"{kind}-{secrets.token_hex(4)}"
    internal = {
        scope: bearer(stack.keys.cluster(service_subject(service), hours=1), langganan_merchant=merchant)
        for service, scopes in SERVICE_SCOPES.items()
        for scope in scopes
    }
    return Shop(door, merchant, bearer(stack.token(merchant=merchant)), internal)
