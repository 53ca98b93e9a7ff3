"""HTTP: the service and its page."""
