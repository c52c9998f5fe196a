"""Points, tiers and what they are worth at the till."""
