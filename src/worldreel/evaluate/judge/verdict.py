"""Which event a clip shows and which shape its objects have, by the judge's networks."""

import torch

from worldreel.evaluate.judge.maps import event_maps, shape_crops
from worldreel.evaluate.judge.networks import NO_EVENT, event_network, shape_network
from worldreel.evaluate.judge.objects import objects
from worldreel.evaluate.observe import Observation
from worldreel.world.vocabulary import EVENTS, SHAPES

SURE = 0.7
"""Nothing happens only where the network is as sure of it as this: an object that soon leaves the
picture is not nothing."""


@torch.inference_mode()
def judge_event(observation: Observation) -> str | None:
    """One of `worldreel.world.vocabulary.EVENTS`; None where there is no object, or no event
    that the simulated world knows.

    Args:
        observation: as from `worldreel.evaluate.judge.objects.tidy`.
    """
    if not objects(observation):
        return None
    maps = torch.from_numpy(event_maps(observation)).float() / 255
    shares = event_network()(maps[None])[0].softmax(dim=0)
    if shares[NO_EVENT] > SURE:
        return None
    return EVENTS[int(shares[:NO_EVENT].argmax())]


@torch.inference_mode()
def judge_shape(observation: Observation, color: str) -> str | None:
    """The shape of the object of ``color``, one of `worldreel.world.vocabulary.SHAPES`; None
    where it is not seen."""
    crops = shape_crops(observation, color)
    if crops is None:
        return None
    views = torch.from_numpy(crops).float() / 255
    return SHAPES[int(shape_network()(views[None]).argmax())]
