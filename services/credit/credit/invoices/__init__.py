"""Invoices: what on-account sales made the customer owe."""
