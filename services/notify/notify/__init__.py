"""The notify service: what is said to customers, when, and over which channel."""
