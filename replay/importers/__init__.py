"""One traffic format a file."""
