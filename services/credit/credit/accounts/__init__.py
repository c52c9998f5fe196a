"""Credit accounts: limit, terms, the ledger and its cached balances."""
