"""Allowances: what the tills of a store may sell on account while they cannot ask."""
