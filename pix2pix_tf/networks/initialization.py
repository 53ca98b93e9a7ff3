"""How kernels are drawn, as the PyTorch code's --init_type."""

import keras


def initialize(network, kind, *, gain):
    """Draws the convolution kernels of a network anew, unless they are to be "normal".

    Keras counts the connections of a kernel as PyTorch does, also of a transposed convolution,
    whose kernel lies [side, side, outputs, inputs].

    Args:
        network: A built network, whose kernels are drawn from N(0, gain).
        kind: "normal"; "xavier" for N(0, gain sqrt(2 / (inputs + outputs))), "kaiming" for
            N(0, sqrt(2 / inputs)) where both count connections, or "orthogonal" for rows at right
            angles of length `gain`.
        gain: Standard deviation or factor, see `kind`.

    Returns:
        The network.

    Reference:
        Glorot and Bengio 2010; He et al. 2015 (arXiv:1502.01852); Saxe et al. 2014
        (arXiv:1312.6120); junyanz/pytorch-CycleGAN-and-pix2pix, models/networks.py,
        init_weights().
    """
    if kind != "normal":
        for variable in network.trainable_variables:
            if variable.path.endswith("/kernel"):
                # One for each: an initializer gives the same numbers every time.
                variable.assign(_initializer(kind, gain)(variable.shape))
    return network


def _initializer(kind, gain):
    if kind == "orthogonal":
        return keras.initializers.Orthogonal(gain)
    # Their deviation is sqrt(scale / n), n being the connections on one side or the mean of both.
    scale, mode = (gain**2, "fan_avg") if kind == "xavier" else (2.0, "fan_in")
    return keras.initializers.VarianceScaling(scale, mode, "untruncated_normal")
