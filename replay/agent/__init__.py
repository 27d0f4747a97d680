"""Loaded into the bot's own process; standard library only."""
