"""How good the images are: metrics and the report."""
