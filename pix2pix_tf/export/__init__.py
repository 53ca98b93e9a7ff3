"""The generator in other formats."""
