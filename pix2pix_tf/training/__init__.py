"""From batches to weights: losses, optimizers, checkpoints, the loop and those who watch it."""
