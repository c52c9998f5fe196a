"""Payments: what customers pay on account."""
