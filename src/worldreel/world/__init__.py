"""The simulated world: scenes, captions and ground truth, made with MuJoCo.

Training data without licence questions, and the yardstick of the laws.
"""
