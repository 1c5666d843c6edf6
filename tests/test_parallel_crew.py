"""A model whose transformer several processes share: the same video as from one."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.test_wan_pipeline import picture
from tests.wan_folder import make_pipeline, save_pipeline

from worldreel.app.main import main
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.progress import silent
from worldreel.generate import velocity
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import make_stretch
from worldreel.generate.options import Options
from worldreel.generate.plan import make_plan
from worldreel.models.transformer import Read
from worldreel.parallel.children import EXIT_LOST, Children
from worldreel.parallel.crew import Crew
from worldreel.weights.load import LoadedModel, load_model

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

PROMPT, NEGATIVE = "a red ball rolls on grass", "blurry"
WIDTH, HEIGHT = 96, 32  # three tokens a frame: two processes need filling


@pytest.fixture(scope="module")
def folder():
    """A model with a timestep per token, in a folder."""
    with tempfile.TemporaryDirectory() as place:
        yield save_pipeline(make_pipeline("ti2v"), Path(place) / "tiny")


@pytest.fixture(scope="module")
def alone(folder):
    """It, on one device."""
    return load_model(folder, torch.float32)


def latents_of(model: LoadedModel, num_given: int = 0, progress=silent, **options) -> torch.Tensor:
    """What is made of a prompt, and of a picture if one is given."""
    fps = model.description.fps
    canvas = Canvas(width=WIDTH, height=HEIGHT, seconds=9 / fps, fps=fps).say(PROMPT)
    if num_given:
        canvas = canvas.place(picture(0, (WIDTH, HEIGHT))[None])
    options = {"num_inference_steps": 4, "seed": 3, "negative_prompt": NEGATIVE, **options}
    plan = make_plan(canvas, Options(**options), model.description)
    return make_stretch(model, plan, 0, {}, progress)


def agree(model: LoadedModel, alone: LoadedModel, **asked) -> None:
    """The latents of words, and of a picture, with guidance and without, are those of one."""
    for num_given in (0, 1):
        for guidance_scale in (5.0, 1.0):
            asked |= {"num_given": num_given, "guidance_scale": guidance_scale}
            expected = latents_of(alone, **asked)
            assert expected.std() > 0.3
            torch.testing.assert_close(latents_of(model, **asked), expected, rtol=0, atol=1e-5)


def save_lora(path: Path) -> str:
    """A LoRA of one matrix that changes what is made; how it is asked for."""
    generator = torch.Generator().manual_seed(8)
    name = "transformer.blocks.1.ffn.net.2"
    save_file(
        {
            f"{name}.lora_A.weight": torch.randn(2, 32, generator=generator),
            f"{name}.lora_B.weight": torch.randn(24, 2, generator=generator),
        },
        path,
    )
    return f"{path}=0.5"


def test_two_processes_make_the_latents_of_one_until_one_dies(folder, alone, tmp_path, monkeypatch):
    both = load_model(folder, torch.float32, num_devices=2)
    assert both.crew is not None and both.splits_batch and not alone.splits_batch
    try:
        agree(both, alone)
        # however large a video is, the prompt and its absence are one batch, half for each
        monkeypatch.setattr(velocity, "BATCHED_TOKENS", 0)
        batches: dict[str, list[int]] = {"alone": [], "both": []}
        for name, model in (("alone", alone), ("both", both)):
            seen = batches[name]
            hook = model.transformer.register_forward_pre_hook(
                lambda _, given, seen=seen: seen.append(len(given[0])), prepend=True
            )
            latents_of(model, num_inference_steps=2)
            hook.remove()
        assert batches == {"alone": [1] * 4, "both": [2] * 2}
        monkeypatch.undo()
        lora = save_lora(tmp_path / "lora.safetensors")
        changed = latents_of(alone, loras=(lora,))
        assert (changed - latents_of(alone)).abs().max() > 1e-2
        torch.testing.assert_close(latents_of(both, loras=(lora,)), changed, rtol=0, atol=1e-5)

        def cancel(done: int, total: int, stage: str) -> None:
            if done == 2:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            latents_of(both, progress=cancel)
        torch.testing.assert_close(latents_of(both), latents_of(alone), rtol=0, atol=1e-5)

        def kill(done: int, total: int, stage: str) -> None:
            if done == 2:
                os.kill(both.crew.process_ids[0], signal.SIGKILL)

        with pytest.raises(WorldreelError, match=r"Device 2 of 2 is lost.*Killed") as caught:
            latents_of(both, progress=kill)
        assert "memory" in caught.value.remedy
        with pytest.raises(WorldreelError, match="were closed"):
            latents_of(both)
    finally:
        both.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t2v-a14b", "vace"])
def test_two_processes_share_two_transformers_and_blocks_beside(kind, tmp_path):
    folder = save_pipeline(make_pipeline(kind), tmp_path / kind)
    both = load_model(folder, torch.float32, num_devices=2)
    try:
        agree(both, load_model(folder, torch.float32))
    finally:
        both.close()


@pytest.mark.slow
def test_four_processes_make_the_latents_of_one(folder, alone):
    four = load_model(folder, torch.float32, num_devices=4)
    try:
        agree(four, alone)
    finally:
        four.close()


def test_the_command_line_makes_the_same_video_on_two_devices(folder, tmp_path, capsys):
    frames = []
    for number in (1, 2):
        path = tmp_path / f"{number}.png"
        words = ["image", PROMPT, "--model", str(folder), "--seed", "5", "--size", "64x32"]
        words += ["--num-inference-steps", "2", "--output-path", str(path), "--json"]
        assert main([*words, "--num-devices", str(number)]) == 0, capsys.readouterr().err
        frames.append(path.read_bytes())
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 and [json.loads(line)["seed"] for line in out] == [5, 5]
    from PIL import Image

    one, two = (Image.open(tmp_path / f"{number}.png").tobytes() for number in (1, 2))
    near = [abs(a - b) <= 1 for a, b in zip(one, two, strict=True)]
    assert all(near)


def test_too_many_devices_are_refused_before_anything_is_loaded(folder, capsys):
    for number, said in ((3, "3 devices cannot share the 2"), (0, "0 devices")):
        with pytest.raises(UsageError, match=said):
            load_model(folder, torch.float32, num_devices=number)
    words = ["generate", PROMPT, "--model", str(folder), "--num-devices", "3"]
    assert main(words) == 2
    assert "3 devices cannot share" in capsys.readouterr().err


def test_processes_that_do_not_fit_in_memory_together_are_refused(alone):
    from worldreel.weights.fit import check_memory, weights_bytes

    weights = weights_bytes(alone.description, torch.float32)
    free = 10**9 + 3 * weights  # with a gigabyte for the tensors of a step
    asked = alone.description, torch.float32, torch.device("cpu"), lambda device: free
    check_memory(*asked, copies=3)
    with pytest.raises(WorldreelError, match="in 4 processes needs") as caught:
        check_memory(*asked, copies=4)
    assert "fewer" in caught.value.remedy and "offload" not in caught.value.remedy


def test_a_call_that_is_left_before_its_end_closes_the_crew(alone):
    from worldreel.models.transformer import Transformer

    transformer = Transformer(alone.transformer.config)
    transformer.load_state_dict(alone.transformer.state_dict())
    crew = Crew(1, "none.is.started", torch.device("cpu"), {})
    try:
        crew.lead([transformer])
        given = torch.zeros(1, 6, 1, 2, 2), torch.ones(1), torch.ones(1, 3, 24)
        with torch.inference_mode():
            torch.testing.assert_close(transformer(*given), alone.transformer(*given))
            with pytest.raises(UsageError, match="several devices cannot share"):
                transformer(*given, image=[1])

            def interrupt(module, args, output):
                raise KeyboardInterrupt

            hook = transformer.blocks[0].register_forward_hook(interrupt)
            with pytest.raises(KeyboardInterrupt):
                transformer(*given)
            hook.remove()
            with pytest.raises(WorldreelError, match="out of step"):
                transformer(*given)
            with pytest.raises(KeyboardInterrupt), crew.at_work():
                raise KeyboardInterrupt
            with pytest.raises(WorldreelError, match="were closed"):
                transformer(*given)
    finally:
        crew.close()
        crew.close()  # twice does no harm


def test_what_a_prompt_was_read_as_is_sent_once_and_forgotten_with_it(alone):
    from worldreel.parallel.orders import Receiver, Sender

    class Recorder:
        """Hands what is broadcast from the sender to the receiver."""

        sent: list[torch.Tensor]

        def broadcast(self, x: torch.Tensor) -> None:
            if self.is_sender:
                self.sent.append(x)
            else:
                x.copy_(self.sent.pop(0))

    group = Recorder()
    group.sent = []
    sender, receiver = Sender(group), Receiver(group, torch.device("cpu"))

    def passed(**arguments):
        told, tensors = sender.describe(arguments)
        group.is_sender = True
        sender.send(tensors)
        count, group.is_sender = len(tensors), False
        found = receiver.receive(json.loads(json.dumps(told)))
        assert not group.sent
        return count, found

    with torch.inference_mode():
        text = torch.randn(2, 9, 24, generator=torch.Generator().manual_seed(4))
        text[:, 5:] = 0
        read = alone.transformer.read(text)
        level = torch.rand(2, dtype=torch.float64)
        count, found = passed(level=level, text=read, image=None)
        assert count == 4 and found["image"] is None and torch.equal(found["level"], level)
        assert isinstance(found["text"], Read) and found["text"].batch == 2
        for mine, other in zip(found["text"].heard, read.heard, strict=True):
            for name in ("key", "value", "bias"):
                assert torch.equal(getattr(mine, name), getattr(other, name))
        count, again = passed(level=level.bfloat16(), text=read)
        assert count == 1 and again["text"] is found["text"]
        assert again["level"].dtype == torch.bfloat16
        del read, found, again
        passed(level=level)
        assert not receiver._reads


CHILD = """
import json, sys
hello = json.loads(sys.stdin.readline())
def say(**told):
    print(json.dumps(told), flush=True)
if hello["does"] == "fails":
    say(error="No room.", remedy="Make some.")
    sys.exit(1)
if hello["does"] == "follows":
    say(ready="yes")
    while json.loads(sys.stdin.readline() or '{"do": "leaves"}')["do"] not in ("end", "leaves"):
        pass
if hello["does"] == "loses":
    say(ready="yes")
    sys.stdin.readline()
    sys.exit(75)
"""


@pytest.fixture
def children(tmp_path):
    """Starts children that do what they are said to, and ends them."""
    (tmp_path / "a_child.py").write_text(CHILD)
    started = []

    def start(*does: str) -> Children:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        started.append(Children("a_child", [{"does": what} for what in does], environment))
        return started[-1]

    yield start
    for one in started:
        one.close(are_idle=False)


def test_a_device_that_cannot_load_says_why(children):
    with pytest.raises(WorldreelError, match=r"Device 3 of 3 is lost.*No room") as caught:
        children("follows", "fails").wait_until_ready()
    assert caught.value.remedy == "Make some."


def test_the_one_that_died_is_named_and_not_those_that_lost_it(children):
    assert EXIT_LOST == 75
    both = children("loses", "follows")
    both.wait_until_ready()
    both.tell({"do": "something"})
    os.kill(both.processes[1].pid, signal.SIGKILL)
    error = both.error("Connection closed by peer")
    assert "Device 3 of 3" in error.message and "Killed" in error.message
    with pytest.raises(WorldreelError, match="Device 3 of 3"):
        both.tell({"do": "more"})


def test_idle_devices_end_when_told_and_with_the_process_that_started_them(children, tmp_path):
    two = children("follows", "follows")
    two.wait_until_ready()
    two.close(are_idle=True)
    assert [process.returncode for process in two.processes] == [0, 0]
    follower = "from worldreel.weights.follower import main; raise SystemExit(main())"
    ended = subprocess.run([sys.executable, "-c", follower], input=b"", capture_output=True)
    assert ended.returncode == EXIT_LOST and ended.stdout == b""
