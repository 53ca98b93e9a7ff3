"""Convolutions that are faster on CPUs than TensorFlow's, and equal to them up to rounding.

`Conv` and `Deconv` are the entrance: Keras' layers, which choose a kernel for each pass from its
shapes. Setting the environment variable PIX2PIX_TF_CPU_KERNELS to 0 leaves every pass to
TensorFlow, as on GPUs and in `portable.portable_graph`.

Results depend on the choice in their last digits only, so runs continue with either.
"""

from pix2pix_tf.networks.cpu.convolution import Conv, Deconv

__all__ = ["Conv", "Deconv"]
