"""What the cashier can say about a decline, in Indonesian or English."""

from __future__ import annotations

_SENTENCES = {
    "INSUFFICIENT_POINTS": (
        "Maaf, poin Anda tidak cukup untuk penukaran ini.",
        "Sorry, there are not enough points for this.",
    ),
    "BELOW_MINIMUM": (
        "Maaf, jumlah poin ini di bawah batas minimum penukaran.",
        "Sorry, this is fewer points than can be used at once.",
    ),
    "CUSTOMER_ERASED": (
        "Maaf, keanggotaan ini sudah ditutup.",
        "Sorry, this membership has been closed.",
    ),
}


def say(reason: str, language: str) -> str:
    """Return the sentence for a reason; "" for none. Indonesian unless English is asked for."""
    if not reason:
        return ""
    indonesian, english = _SENTENCES[reason]
    return english if language == "en" else indonesian
