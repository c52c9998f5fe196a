"""Every metric of the customers service; those of the mechanism are in kit.metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

STORES_SELF_REGISTERED = Counter(
    "langganan_customers_stores_self_registered_total", "Stores that a till named before they were set"
)
IDENTIFIED = Counter(
    "langganan_customers_identify_total",
    "Answers of Identify: none, one, several, refused",
    ["by", "answer"],
)
KEYS_CACHED = Gauge("langganan_customers_keys_cached", "Unwrapped data keys in memory")
KEYS_UNWRAPPED = Counter("langganan_customers_keys_unwrapped_total", "Data keys unwrapped by the provider")
VAULT_COMPLETED = Counter(
    "langganan_customers_vault_completed_total", "Changes of the vault completed by the sweep"
)
VAULT_WITHDRAWN = Counter(
    "langganan_customers_vault_withdrawn_total", "Vault records withdrawn: their customer never came to be"
)
VAULT_AGE = Gauge(
    "langganan_customers_vault_pending_age_seconds",
    "Seconds that the oldest change of the vault waits to be known to the customers database; 0: none does",
)
ERASURE_AGE = Gauge(
    "langganan_customers_erasure_age_seconds",
    "Business seconds since the oldest erasure not yet done was asked for, by how far it has come; 0: none",
    ["state"],
)
ERASED = Counter("langganan_customers_erased_total", "Customers whose erasure came to its end")
ERASURES_OPEN = Gauge("langganan_customers_erasures_open", "Erasures asked for and not yet done", ["state"])
PURCHASES = Counter(
    "langganan_customers_purchases_total", "Sales recorded, by whether their time was believable", ["time"]
)
PURCHASE_EXCEPTIONS = Counter(
    "langganan_customers_purchase_exceptions_total", "Sales that staff should look at", ["reason"]
)
PURCHASE_EXCEPTIONS_OPEN = Gauge(
    "langganan_customers_purchase_exceptions_open", "Sales that staff should still look at", ["reason"]
)
RETURNS = Counter("langganan_customers_returns_total", "Returns recorded", ["reason"])
