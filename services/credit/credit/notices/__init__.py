"""Notices: once a local day a customer is told what is due and what is overdue."""
