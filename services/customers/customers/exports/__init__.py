"""All that is known of one person, for that person."""
