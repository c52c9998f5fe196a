"""Finished sales and their returns: what was bought, what is left of it, what staff should look at."""
