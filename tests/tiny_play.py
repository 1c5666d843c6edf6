"""A world of the tiny model in a process of its own; see `worldreel.app.play.child`."""

import dataclasses

from tests.tiny_model import DESCRIPTION, tiny_model

from worldreel.app.play import child
from worldreel.app.play.cue import Cue
from worldreel.app.play.player import Player
from worldreel.generate.endless import Endless
from worldreel.generate.options import Options

CONTEXT = 4
TINY = dataclasses.replace(DESCRIPTION, takes=("text", "clip"))


def open_player(game: child.Game) -> Player:
    options = Options(seed=game.seed, num_inference_steps=1)
    size = (game.width, game.height)
    return Player(Endless(tiny_model(TINY), options, size=size, context=CONTEXT), Cue(game.prompt))


if __name__ == "__main__":
    child.open_player = open_player
    child.main()
