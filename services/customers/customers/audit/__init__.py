"""What is cached or kept twice, folded and compared again: `python -m customers audit`."""
