"""The end of what is known of a person."""
