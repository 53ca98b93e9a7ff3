"""Metrics on the features of HED, an edge detector whose weights come with its package."""
