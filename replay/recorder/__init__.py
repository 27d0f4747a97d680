"""The recording proxy between a running bot and its services."""
