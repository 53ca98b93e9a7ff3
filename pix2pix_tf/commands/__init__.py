"""One file a mode: what each does, for both programs."""
