"""How good the pictures are: measures and the report."""
