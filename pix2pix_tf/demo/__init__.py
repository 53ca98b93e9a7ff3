"""The facades that the demonstration draws."""
