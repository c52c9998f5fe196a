"""Purchases: what a sale and its returns do to points and tier."""
