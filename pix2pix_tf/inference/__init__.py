"""From a generator to images of any size, files and arrays."""
