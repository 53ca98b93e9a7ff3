"""Lets `python -m cyclegan_tf` do what `cyclegan-tf` does."""

import sys

from cyclegan_tf.cli import main

sys.exit(main())
