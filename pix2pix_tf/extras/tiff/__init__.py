"""TIFF by tifffile: planes, tags, and files larger than memory (extra [tiff])."""
