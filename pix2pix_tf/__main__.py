"""Lets `python -m pix2pix_tf` do what `pix2pix-tf` does."""

import sys

from pix2pix_tf.cli import main

sys.exit(main())
