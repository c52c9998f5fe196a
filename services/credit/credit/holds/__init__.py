"""Holds: credit kept aside for a sale that is about to happen."""
