"""One valid request for each method of the contract, naming what another merchant's shop holds.

A method without an entry here fails tests/contract; add one that names everything that the method can name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.system.methods import fresh
from tests.system.shops import ORIGIN, SALE_AT, Names, basket, consent, granting, rupiah, sale

Content = Mapping[str, Any]


def _customer(names: Names) -> dict[str, Any]:
    return {"customerId": names.customer_id}


def _write(names: Names) -> dict[str, Any]:
    return {"requestId": fresh(), **_customer(names)}


def _hold(names: Names, hold_id: str) -> dict[str, Any]:
    return {"holdId": hold_id, **_customer(names), "origin": ORIGIN}


def _reservation(names: Names, reservation_id: str) -> dict[str, Any]:
    return {"reservationId": reservation_id, **_customer(names), "origin": ORIGIN}


def _back(names: Names) -> dict[str, Any]:
    return {
        "purchaseId": names.purchase_id,
        **_customer(names),
        "reason": "RETURN_REASON_RETURN",
        "lines": [{"lineId": "1", "amount": rupiah(1_000)}],
    }


def _someone(names: Names) -> dict[str, Any]:
    email = {"channel": "CHANNEL_EMAIL", "address": names.second_email}
    return {"fullName": "Orang Lain", "memberCodes": [names.member_code], "contactPoints": [email]}


def _variables() -> dict[str, Any]:
    return {
        "receipt_number": {"text": "0001"},
        "store": {"text": "Cabang"},
        "total": {"money": {"amount": rupiah(1_000)}},
        "time": {"time": {"instant": SALE_AT, "timeZone": "Asia/Jakarta"}},
        "items": {"integer": "1"},
    }


_PROGRAM = {
    "currencyCode": "IDR",
    "earning": [{"plugin": "per_amount", "configJson": '{"step": 1000}'}],
    "pointValue": rupiah(10),
    "tiers": [{"name": "New"}, {"name": "VIP"}],
}
_MERCHANT = {"name": "Toko Lain", "currencyCode": "IDR", "timeZone": "Asia/Makassar"}


def _booked(names: Names) -> dict[str, Any]:
    return {"purchases": [{"purchaseId": names.purchase_id, **_customer(names)}]}


CREDIT: dict[str, Callable[[Names], Content]] = {
    "BookingService/ListBookings": _booked,
    "AccountService/OpenAccount": lambda n: {
        **_write(n),
        "currencyCode": "IDR",
        "timeZone": "Asia/Jakarta",
        "limit": rupiah(1),
    },
    "AccountService/GetAccount": _customer,
    "AccountService/SetLimit": lambda n: {**_write(n), "limit": rupiah(400_000), "reason": "review"},
    "AccountService/SetTerms": lambda n: {**_write(n), "netDays": 7, "reason": "review"},
    "AccountService/OverrideLimit": lambda n: {
        **_write(n),
        "limit": rupiah(600_000),
        "until": "2999-01-01T00:00:00Z",
    },
    "AccountService/SetStoreLimit": lambda n: {
        **_write(n),
        "storeId": "S-lain",  # a word of the account, not a resource: a stranger may use it too
        "limit": rupiah(300_000),
        "reason": "review",
    },
    "AccountService/SuspendAccount": lambda n: {**_write(n), "reason": "review"},
    "AccountService/ResumeAccount": lambda n: {**_write(n), "reason": "review"},
    "AccountService/CloseAccount": lambda n: {
        "requestId": fresh(),
        "customerId": n.customer_to_close,
        "reason": "moved away",
    },
    "AccountService/ListChanges": _customer,
    "AllowanceService/GrantAllowance": lambda n: granting(fresh()),
    "AllowanceService/GetAllowance": lambda n: {"allowanceId": n.allowance_id},
    "AllowanceService/ListAllowances": lambda n: {},
    "AllowanceService/EndAllowance": lambda n: {"requestId": fresh(), "allowanceId": n.allowance_to_end},
    "AllowanceService/HandIn": lambda n: {
        "allowanceId": n.allowance_id,
        "holds": [{"holdId": fresh(), **_customer(n), "amount": rupiah(1_000)}],
        "origin": ORIGIN,
    },
    "ExportService/ExportCustomer": _customer,
    "HoldService/Authorize": lambda n: {**_hold(n, fresh()), "amount": rupiah(1_000)},
    "HoldService/StreamAuthorize": lambda n: {
        "items": [{"authorize": {**_hold(n, fresh()), "amount": rupiah(1_000)}, "timeout": "5s"}],
    },
    "HoldService/Capture": lambda n: {**_hold(n, n.hold_to_capture), "amount": rupiah(20_000)},
    "HoldService/Void": lambda n: _hold(n, n.hold_to_void),
    "HoldService/ExtendHold": lambda n: {**_hold(n, n.hold_id), "ttl": "7200s"},
    "HoldService/GetHold": lambda n: {"holdId": n.hold_id, **_customer(n)},
    "InvoiceService/GetInvoices": lambda n: {"invoiceIds": [n.invoice_id]},
    "InvoiceService/ListInvoices": _customer,
    "InvoiceService/GetAgeing": _customer,
    "InvoiceService/SendReminder": _write,
    "InvoiceService/WriteOff": lambda n: {
        "requestId": fresh(),
        "customerId": n.customer_owing,
        "invoiceId": n.invoice_to_write_off,
        "reason": "moved away",
    },
    "PolicyService/GetPolicy": lambda n: {"newest": True},
    "PolicyService/SetPolicy": lambda n: {"requestId": fresh(), "policy": {"dunning": {"plugin": "ladder"}}},
    "PolicyService/ListPlugins": lambda n: {},
    "StatementService/GetStatement": lambda n: {
        **_customer(n),
        "firstDay": {"year": 2026, "month": 1, "day": 1},
        "lastDay": {"year": 2026, "month": 12, "day": 31},
    },
    "StatementService/ExplainBalance": lambda n: {**_customer(n), "balance": "BALANCE_KIND_POSTED"},
    "InvoiceService/ListExceptions": _customer,
    "InvoiceService/ResolveException": lambda n: {
        **_write(n),
        "exceptionId": n.credit_exception,
        "note": "spoken to",
    },
    "PaymentService/RecordPayment": lambda n: {
        "paymentId": fresh(),
        **_customer(n),
        "amount": rupiah(1_000),
        "method": "PAYMENT_METHOD_CASH",
        "invoiceIds": [n.invoice_id],
        "origin": ORIGIN,
    },
    "PaymentService/ConfirmPayment": lambda n: {**_write(n), "paymentId": n.giro_id},
    "PaymentService/ReversePayment": lambda n: {
        **_write(n),
        "paymentId": n.payment_id,
        "reason": "REVERSAL_REASON_BOUNCED",
    },
    "PaymentService/PayOut": lambda n: {
        "payoutId": fresh(),
        "customerId": n.customer_in_credit,
        "amount": rupiah(2_000),
        "method": "PAYMENT_METHOD_CASH",
        "origin": ORIGIN,
    },
    "PaymentService/ListPayments": _customer,
    "PaymentService/ListPayouts": _customer,
}
CUSTOMERS: dict[str, Callable[[Names], Content]] = {
    "ContactService/GetContacts": lambda n: {
        "customerIds": [n.customer_id],
        "purpose": "PURPOSE_CONFIRMATION",
    },
    "ContactService/SetConsent": lambda n: consent(n, "CONSENT_STATE_WITHDRAWN", ""),
    "ContactService/ListConsents": _customer,
    "ContactService/ListBirthdays": lambda n: {"month": 3, "day": 2},
    "MerchantService/SetMerchant": lambda n: {"requestId": fresh(), "merchant": _MERCHANT},
    "MerchantService/GetMerchant": lambda n: {},
    "MerchantService/SetStore": lambda n: {
        "requestId": fresh(),
        "store": {"storeId": n.store_id, "name": "Lain"},
    },
    "MerchantService/ListStores": lambda n: {},
    "CustomerService/CreateCustomer": lambda n: {
        "requestId": fresh(),
        "customer": _someone(n),
        "takeOver": True,
    },
    "CustomerService/EraseCustomer": lambda n: {
        "requestId": fresh(),
        "customerId": n.customer_to_erase,
        "origin": ORIGIN,
    },
    "CustomerService/ExportCustomer": _customer,
    "CustomerService/GetCustomer": _customer,
    "CustomerService/UpdateCustomer": lambda n: {
        "requestId": fresh(),
        "customer": {**_customer(n), "nickname": "Lain", "notes": "lain"},
        "updateMask": "nickname,notes",
    },
    "CustomerService/Identify": lambda n: {"phone": n.phone, "origin": ORIGIN},
    "PurchaseService/RecordPurchase": lambda n: sale(
        fresh(), n.customer_id, 5_000, onAccount={"holdId": n.hold_id}
    ),
    "PurchaseService/QuoteReturn": _back,
    "PurchaseService/RecordReturn": lambda n: {
        "returnId": fresh(),
        **_back(n),
        "occurredAt": SALE_AT,
        "origin": ORIGIN,
    },
    "PurchaseService/GetPurchase": lambda n: {"purchaseId": n.purchase_id, **_customer(n)},
    "PurchaseService/ListPurchases": _customer,
    "PurchaseService/ListExceptions": lambda n: {},
    "PurchaseService/ResolveException": lambda n: {
        "requestId": fresh(),
        "exceptionId": n.customers_exception,
        "kind": "RESOLUTION_KIND_ACCEPTED",
    },
}
LOYALTY: dict[str, Callable[[Names], Content]] = {
    "BookingService/ListBookings": _booked,
    "AccountService/GetAccount": _customer,
    "AccountService/ListEntries": _customer,
    "AccountService/ExplainBalance": _customer,
    "AccountService/AdjustPoints": lambda n: {
        "adjustmentId": fresh(),
        **_customer(n),
        "points": "-5",
        "reason": "mistake",
    },
    "ExportService/ExportCustomer": _customer,
    "ProgramService/GetProgram": lambda n: {},
    "ProgramService/SetProgram": lambda n: {"requestId": fresh(), "program": _PROGRAM},
    "ProgramService/ListPlugins": lambda n: {},
    "RedemptionService/Quote": lambda n: {**_customer(n), "lines": basket(1_000)["lines"]},
    "RedemptionService/Reserve": lambda n: {**_reservation(n, fresh()), "points": "5"},
    "RedemptionService/Release": lambda n: _reservation(n, n.reservation_to_release),
    "RedemptionService/GetReservation": lambda n: {"reservationId": n.reservation_id, **_customer(n)},
    "RedemptionService/ListExceptions": _customer,
    "RedemptionService/ResolveException": lambda n: {
        "requestId": fresh(),
        "exceptionId": n.loyalty_exception,
        "resolution": "RESOLUTION_ACCEPTED",
    },
    "TierService/SetTier": lambda n: {**_write(n), "tier": "VIP", "reason": "complaint"},
    "TierService/ListTiers": lambda n: {},
}
NOTIFY: dict[str, Callable[[Names], Content]] = {
    "ExportService/ExportCustomer": _customer,
    "MessageService/SendMessage": lambda n: {
        "messageId": fresh(),
        **_customer(n),
        "template": "purchase-confirmation",
        "variables": _variables(),
    },
    "MessageService/GetMessage": lambda n: {"messageId": n.message_id},
    "MessageService/ListMessages": _customer,
    "TemplateService/GetTemplate": lambda n: {"template": "birthday"},
    "TemplateService/SetTemplate": lambda n: {
        "requestId": fresh(),
        "template": "birthday",
        "texts": [{"language": "id", "subject": "Selamat, {{ name }}", "body": "{{ shop }}"}],
    },
    "TemplateService/PreviewTemplate": lambda n: {"template": "birthday"},
    "TemplateService/ListTemplates": lambda n: {},
}

REQUESTS: dict[str, Callable[[Names], Content]] = {
    f"{service}.v1.{name}": build
    for service, table in (
        ("credit", CREDIT),
        ("customers", CUSTOMERS),
        ("loyalty", LOYALTY),
        ("notify", NOTIFY),
    )
    for name, build in table.items()
}

# Its owner hears more than a stranger, for the same request.
OWNER_HEARS = {
    "credit.v1.AccountService/OpenAccount": "ACCOUNT_EXISTS",
    "customers.v1.CustomerService/CreateCustomer": "MEMBER_CODE_HELD",
}
