"""Audit: what is cached and linked in the points of customers, folded and followed again."""
