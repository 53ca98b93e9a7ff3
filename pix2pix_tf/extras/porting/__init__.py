"""Weights of the reference codes."""
