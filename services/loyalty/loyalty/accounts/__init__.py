"""Accounts: the ledger of a customer's points, its lots and its fold."""
