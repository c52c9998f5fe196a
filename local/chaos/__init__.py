"""Chaos: the demo's baskets while whatever runs is killed, and the same reconciliation."""
