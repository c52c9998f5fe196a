"""Every metric of the credit service, listed once."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from kit.metrics import SECONDS

AUTHORISED = Counter(
    "langganan_credit_authorisations_total",
    "Holds decided: APPROVED, or the reason of the decline",
    ["outcome"],
)
EXPIRED = Counter("langganan_credit_holds_expired_total", "Holds that nobody used in time")
INVOICED = Counter("langganan_credit_invoices_total", "Invoices issued")
EXCEPTIONS = Counter(
    "langganan_credit_exceptions_total",
    "What staff must look at, by what is amiss",
    ["kind"],
)
NOBODYS = Counter(
    "langganan_credit_nobodys_tenders_total",
    "On-account tenders of sales that name no customer: listed, posted to nobody",
)
ALLOWANCE_USES = Counter(
    "langganan_credit_allowance_uses_total",
    "What tills without a line sold (SALE) or promised (HOLD): COVERED by the allowance, or what is amiss",
    ["kind", "outcome"],
)
PAYMENTS = Counter("langganan_credit_payments_total", "Payments booked")
REVERSALS = Counter(
    "langganan_credit_payment_reversals_total", "Payments that turned out not to be one, by why", ["reason"]
)
PAYOUTS = Counter("langganan_credit_payouts_total", "Credit balances returned to customers")
WRITE_OFFS = Counter("langganan_credit_write_offs_total", "Invoices of which the rest was given up")
MERGED = Counter("langganan_credit_merges_total", "Accounts moved into that of a surviving customer")
REMINDERS = Counter("langganan_credit_reminders_total", "Reminders by hand: DUE or OVERDUE", ["kind"])
NOTICES = Counter("langganan_credit_notices_total", "Notices of what is owed: DUE or OVERDUE", ["kind"])
NOTICES_LATE = Gauge(
    "langganan_credit_notices_late_seconds",
    "Business seconds since the longest waiting customer should have been told what is owed; 0: all are told",
)
EXCEPTIONS_OPEN = Gauge(
    "langganan_credit_exceptions_open", "What staff must still look at, by what is amiss", ["kind"]
)
PLUGIN_SECONDS = Histogram(
    "langganan_credit_plugin_seconds",
    "Seconds that a plugin takes for one decision, inside a transaction",
    ["plugin"],
    buckets=(0.00001, 0.0001, *SECONDS),
)
LIMITS_DECIDED = Counter(
    "langganan_credit_limits_decided_total", "Limits that policies decided again at the turn of a month"
)
LIMITS_UNDECIDED = Counter(
    "langganan_credit_limits_undecided_total",
    "Limits left as they were until the next day, because the plugin of the policy is missing or fails",
)
DUNNING_UNDECIDED = Gauge(
    "langganan_credit_dunning_undecided",
    "Merchants of whose customers nobody is reminded, because the plugin of their policy is missing or fails",
)
