"""The inbound driver: plays the bot's own users, each at its recorded time."""
