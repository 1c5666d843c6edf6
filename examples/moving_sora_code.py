"""Code written for OpenAI's Videos API, with the two lines changed that have to be.

pip install openai==3.54.0
worldreel serve                     # in another terminal; it prints the first key
WORLDREEL_API_KEY=... python examples/moving_sora_code.py ball.mp4
"""

import os
import sys
import warnings

from openai import OpenAI

warnings.filterwarnings("ignore", message="The Sora API", category=DeprecationWarning)


def main(path: str, base_url: str = "http://127.0.0.1:8000/v1", **how: object) -> None:
    client = OpenAI(
        base_url=base_url,  # was: https://api.openai.com/v1
        api_key=os.environ["WORLDREEL_API_KEY"],  # was: OPENAI_API_KEY
    )
    video = client.videos.create_and_poll(
        model="sora-2",
        prompt="a red ball falls and bounces on a wooden floor",
        size="1280x720",
        seconds="4",
        extra_body=how,
    )
    if video.status == "failed":
        assert video.error is not None
        raise SystemExit(video.error.message)
    client.videos.download_content(video.id).write_to_file(path)
    assert os.path.getsize(path) > 1000
    print(path, video.to_dict()["worldreel"]["notes"])


if __name__ == "__main__":
    main(*sys.argv[1:])
