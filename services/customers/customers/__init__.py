"""The customers service: profiles, the vault, contacts, merchants and purchases."""
