"""Optional features, one folder for each extra; the core works without any of them."""
