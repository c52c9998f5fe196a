"""Events made again from what was recorded."""
