"""Recorded traffic and an implementation to runs, runs to a comparison."""
