"""Statements: the ledger's entries, and the balances that they make."""
