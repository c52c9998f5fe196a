"""All that is kept of one customer, for that customer."""
