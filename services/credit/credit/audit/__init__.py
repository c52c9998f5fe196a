"""Audit: what is cached and linked in the books, folded and followed again."""
