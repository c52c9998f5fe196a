"""How a message leaves: the plugin Protocol, the built-in channels, and the contract suite for others."""
