"""The upstream server that plays a recording."""
