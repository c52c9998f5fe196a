"""Policies: how a merchant gives credit, in versions that never change."""
