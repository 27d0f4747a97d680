"""Saved results to text."""
