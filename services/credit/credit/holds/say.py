"""What the cashier says when a hold is declined, in Indonesian or English."""

from __future__ import annotations

from credit.holds.model import Reason

_SENTENCES = {
    "id": {
        Reason.NO_ACCOUNT: "Pelanggan ini belum punya rekening kredit. Silakan pakai cara bayar lain.",
        Reason.ACCOUNT_SUSPENDED: (
            "Rekening kredit pelanggan ini sedang ditangguhkan. Silakan pakai cara bayar lain."
        ),
        Reason.ACCOUNT_CLOSED: (
            "Rekening kredit pelanggan ini sudah ditutup. Silakan pakai cara bayar lain."
        ),
        Reason.OVER_LIMIT: (
            "Sisa limit kredit {available}, tidak cukup untuk jumlah ini. "
            "Silakan kurangi jumlahnya atau pakai cara bayar lain."
        ),
        Reason.OVER_STORE_LIMIT: (
            "Sisa limit kredit pelanggan ini di toko ini {available}, tidak cukup untuk jumlah ini. "
            "Silakan kurangi jumlahnya atau pakai cara bayar lain."
        ),
        Reason.CUSTOMER_ERASED: (
            "Data pelanggan ini sudah dihapus, jadi tidak bisa bayar kredit. Silakan pakai cara bayar lain."
        ),
        Reason.OVERDUE: (
            "Masih ada tagihan kredit yang sudah lama lewat jatuh tempo. "
            "Silakan lunasi dulu atau pakai cara bayar lain."
        ),
    },
    "en": {
        Reason.NO_ACCOUNT: "This customer has no credit account. Please use another means of payment.",
        Reason.ACCOUNT_SUSPENDED: (
            "This customer's credit account is suspended. Please use another means of payment."
        ),
        Reason.ACCOUNT_CLOSED: (
            "This customer's credit account is closed. Please use another means of payment."
        ),
        Reason.OVER_LIMIT: (
            "{available} of credit is left, which is not enough for this amount. "
            "Please lower it or use another means of payment."
        ),
        Reason.OVER_STORE_LIMIT: (
            "{available} of this customer's credit is left at this store, not enough for this amount. "
            "Please lower it or use another means of payment."
        ),
        Reason.CUSTOMER_ERASED: (
            "This customer's data was erased, so credit cannot be used. Please use another means of payment."
        ),
        Reason.OVERDUE: (
            "An invoice on this account is long overdue. "
            "Please have it paid first or use another means of payment."
        ),
    },
}
_SYMBOLS = {"IDR": "Rp"}


def amount(minor: int, currency_code: str, digits: int, language: str) -> str:
    """Return minor units as people write them: Rp120.000 in Indonesian, Rp120,000 in English."""
    whole, rest = divmod(minor, 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    if language == "id":
        text = text.translate(str.maketrans(",.", ".,"))
    symbol = _SYMBOLS.get(currency_code)
    return f"{symbol}{text}" if symbol else f"{currency_code} {text}"


def sentence(reason: Reason, available: str, language: str) -> str:
    """Return what to say; `available` is an amount as people write it."""
    return _SENTENCES["en" if language == "en" else "id"][reason].format(available=available)
