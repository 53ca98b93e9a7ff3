"""The weight files of the reference's browser demo."""
