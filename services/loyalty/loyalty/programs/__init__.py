"""Programs: what points are worth, how they are earned, which tiers there are."""
