"""Messages: made from events or asked for, sent by a sweep, each with what became of it."""
