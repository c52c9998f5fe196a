"""Growth: what becomes of the hot path, the sweeps and the audit at a million accounts."""
