"""Limits by policy: what customers bought, and the limit that a plugin makes of it once a local month."""
