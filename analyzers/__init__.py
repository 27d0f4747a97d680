"""Source text to findings; never runs a bot."""
