"""``worldreel pull``: an open model from the hub to this machine."""

import difflib
import json
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from worldreel.app.display import progress_display
from worldreel.app.options import Flag, shown
from worldreel.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Pull:
    """Downloads an open model at its pinned revision, checks every byte, and prints its folder.

    What has come is kept in the hub's cache (HF_HOME, HF_HUB_CACHE), and a download that was
    stopped goes on. HF_HUB_OFFLINE, HF_ENDPOINT and HF_TOKEN are honoured.
    """

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """The model's name; `worldreel models` lists them."""
    json: Flag = False
    """Print one JSON object; progress comes as JSON lines on standard error."""

    def run(self) -> int:
        from worldreel.weights.hub import pull
        from worldreel.weights.open_models import OPEN_MODELS

        if self.name not in OPEN_MODELS:
            close = difflib.get_close_matches(self.name.lower(), OPEN_MODELS, n=1, cutoff=0.5)
            raise UsageError(
                f"There is no open model {shown(self.name)}; known: {', '.join(OPEN_MODELS)}.",
                remedy=f"Did you mean {close[0]}?" if close else "See `worldreel models`.",
            )
        model = OPEN_MODELS[self.name]
        with progress_display(as_json=self.json) as progress:
            folder = pull(model, progress)
        if self.json:
            print(json.dumps({"name": model.name, "folder": str(folder)}))
        else:
            print(folder)
        return 0
