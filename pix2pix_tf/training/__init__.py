"""Training: losses, optimizers, callbacks and checkpoints."""
