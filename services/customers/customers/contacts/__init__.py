"""How a customer can be reached, and what they agreed to."""
