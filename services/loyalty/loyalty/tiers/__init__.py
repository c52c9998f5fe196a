"""Tiers: the category of a customer, decided by a plugin or pinned by staff."""
