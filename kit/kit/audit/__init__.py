"""Audit: what is cached is folded again from what it was made of, and every difference is named."""

from kit.audit.audit import Audit, Check, Difference, Outcome, check, run_audit
from kit.audit.outcome import note, watch

__all__ = ["Audit", "Check", "Difference", "Outcome", "check", "note", "run_audit", "watch"]
