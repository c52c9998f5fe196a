"""Merges: two customers turn out to be one, and one account goes on."""
