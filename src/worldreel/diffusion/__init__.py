"""The mathematics of rectified flow: tensors in, tensors out, and nothing else.

The conventions, here and everywhere: ``t = 1`` is noise and ``t = 0`` is data,
``x_t = (1 - t) x_0 + t eps``, and what a model predicts is read as the velocity
``v = dx_t/dt = eps - x_0``.
"""
