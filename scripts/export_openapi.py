"""Write the HTTP contract that the Studio's types are made of: python scripts/export_openapi.py"""

import json
from pathlib import Path

from worldreel.app.server.application import openapi

PATH = Path(__file__).parents[1] / "studio" / "openapi.json"


def contract() -> str:
    """The OpenAPI document as it is kept beside the page."""
    return json.dumps(openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(contract(), encoding="utf-8")
