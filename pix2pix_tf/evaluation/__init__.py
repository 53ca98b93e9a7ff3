"""Image quality: metrics and the report."""
