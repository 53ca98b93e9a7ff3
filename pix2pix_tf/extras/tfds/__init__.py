"""Data sets of TensorFlow Datasets (extra [tfds])."""
