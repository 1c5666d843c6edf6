"""A model's card: what a run's folder says of itself, in a README that a person reads.

Every figure comes from the run's files. What they do not say is said to be not recorded.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldreel.data.shards import hash_manifest, read_manifest
from worldreel.train.recipe import TransformerRecipe, recipe_values
from worldreel.weights.description import ModelDescription
from worldreel.world.vocabulary import WORDS

UNKNOWN = "not recorded"
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


@dataclass(frozen=True, kw_only=True)
class LogFacts:
    """What a run's ``log.jsonl`` says about the whole run; None where it does not."""

    step: int | None = None
    samples: int | None = None
    seconds: float | None = None
    held_out_loss: float | None = None
    machines: tuple[str, ...] = ()
    """The different machines that it ran on, in the order in which they came."""
    num_unrecorded: int = 0
    """How often it was started without its machine being noted."""


@dataclass(frozen=True, kw_only=True)
class CardSources:
    """Where the facts are.

    Args:
        run: the transformer's run folder. autoencoder: the autoencoder's.
        shards: the transformer's clips.
        recipe: the transformer's, as its checkpoint holds it.
        num_parameters: by network.
    """

    run: Path
    autoencoder: Path
    shards: Path
    recipe: TransformerRecipe
    num_parameters: dict[str, int]


def model_card(description: ModelDescription, sources: CardSources) -> str:
    """The text of a model's README.md, with YAML front matter as the Hugging Face Hub reads it."""
    sections = [
        _front_matter(description),
        f"# {description.name} {description.version}\n\n{description.summary}".rstrip(),
        _use(description, sources),
        _data(sources),
        _training(sources),
        _autoencoder_figures(sources.autoencoder),
        _knows(description, sources),
        _files(description, sources.num_parameters),
        _recipes(sources),
    ]
    return "\n\n".join(sections) + "\n"


def _log_lines(folder: Path) -> Iterator[dict[str, Any]]:
    path = Path(folder) / "log.jsonl"
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            continue  # a line that a kill cut off


def read_log(folder: Path) -> LogFacts:
    """The facts in ``folder/log.jsonl``; nothing but None where there is no log."""
    facts: dict[str, Any] = {}
    machines: dict[str, None] = {}
    unrecorded = 0
    for line in _log_lines(folder):
        event = line.get("event")
        if event in ("start", "resume"):
            if "machine" in line:
                machines[describe(line["machine"])] = None
            else:
                unrecorded += 1
        for name in ("samples", "held_out_loss"):
            facts[name] = line.get(name, facts.get(name))
        if event == "end":
            facts["seconds"] = line.get("seconds")
        if event == "end" or event is None:
            facts["step"] = line.get("step", facts.get("step"))
    return LogFacts(**facts, machines=tuple(machines), num_unrecorded=unrecorded)


def describe(machine: dict[str, Any]) -> str:
    """A machine of the log in words."""
    parts = [
        machine.get("accelerator"),
        machine.get("cpu") or f"a processor whose name is {UNKNOWN}",
        f"{machine['num_cores']} cores" if machine.get("num_cores") else None,
        f"{machine['num_threads']} threads" if machine.get("num_threads") else None,
        f"torch {machine['torch']}" if machine.get("torch") else None,
    ]
    return ", ".join(part for part in parts if part)


def _front_matter(description: ModelDescription) -> str:
    tags = ["text-to-video", "video-generation", "flow-matching", "diffusion-transformer"]
    lines = [
        f"license: {description.license.lower()}",
        "language:\n- en",
        "library_name: worldreel",
        "pipeline_tag: text-to-video",
        "tags:\n" + "\n".join(f"- {tag}" for tag in [*tags, "simulated-data"]),
    ]
    return "---\n" + "\n".join(lines) + "\n---"


def _use(description: ModelDescription, sources: CardSources) -> str:
    prompt = read_manifest(sources.shards)[-1]["captions"][0]
    width, height = description.size.default
    sampling = description.sampling
    return f"""```bash
worldreel generate "{prompt}" --model {description.name}
```

- It takes: {", ".join(description.takes)}.
- It makes {description.seconds.default:.3g} s of {width}x{height} pixels at {description.fps} fps,
  without sound.
- Sides from {description.size.min} to {description.size.max} pixels and up to
  {description.seconds.max:g} s can be asked for.
- Default: {sampling.num_inference_steps} {sampling.solver} steps, guidance scale
  {sampling.guidance_scale:g}.
- Licence: {description.license}."""


def _data(sources: CardSources) -> str:
    rows, recipe = read_manifest(sources.shards), sources.recipe
    num_held_out = _num_held_out(sources, len(rows))
    seconds = sum(row["num_frames"] / row["fps"] for row in rows)
    wordings = {caption for row in rows for caption in row["captions"]}
    sizes = sorted({f"{row['width']}x{row['height']}" for row in rows})
    mirrored = (
        "\nEach was also seen in a mirror, left and right swapped in its captions."
        if recipe.data.mirror
        else ""
    )
    return f"""## What it was trained on

Simulated clips alone, made and captioned by worldreel's own world: {len(rows)} clips
({seconds / 3600:.2f} hours) of {", ".join(sizes)} pixels with {len(wordings)} different
captions.{mirrored}
The last {num_held_out} clips were held out. Fingerprint of the clips:
`{hash_manifest(sources.shards)[:16]}`.

The text encoder is no part of these files and was not trained here."""


def _num_held_out(sources: CardSources, num_clips: int) -> int:
    return min(sources.recipe.num_held_out, num_clips // 2)


def _training(sources: CardSources) -> str:
    rows = []
    for name, folder in (("transformer", sources.run), ("autoencoder", sources.autoencoder)):
        facts = read_log(folder)
        machines = [*facts.machines, *([UNKNOWN] if facts.num_unrecorded else [])]
        shown = [
            name,
            UNKNOWN if facts.step is None else str(facts.step),
            UNKNOWN if facts.samples is None else str(facts.samples),
            UNKNOWN if facts.seconds is None else f"{facts.seconds:.0f}",
            "; ".join(machines) or UNKNOWN,
        ]
        rows.append("| " + " | ".join(shown) + " |")
    loss = read_log(sources.run).held_out_loss
    last = UNKNOWN if loss is None else f"{loss:.4f}"
    return f"""## How it was trained

| network | steps | samples seen | seconds | hardware |
|---|---|---|---|---|
{chr(10).join(rows)}

A sample is a clip for the transformer and a crop of a frame for the autoencoder; clips come again.
Loss on held-out clips at the end: {last}.{_changed_on_the_way(sources)}"""


def _changed_on_the_way(sources: CardSources) -> str:
    """What of a recipe was changed while its run was going: the recipe alone is not the run."""
    rows = []
    for name, folder in (("transformer", sources.run), ("autoencoder", sources.autoencoder)):
        for line in _log_lines(folder):
            for key, (old, new) in line.get("changes", {}).items():
                if key.split(".")[0] in ("run", "sample", "release"):
                    continue  # no training numbers
                plain = all(
                    value is None or isinstance(value, str | int | float) for value in (old, new)
                )
                old = "not there" if old is None else old
                what = f"from {old} to {new}" if plain else "changed"
                rows.append(f"- {name}, step {line['step']}: {key} {what}")
    if not rows:
        return ""
    return (
        "\n\nThe recipes below are as they stood at the end. Changed while the runs were going, so "
        "that a run from nothing gives other weights:\n\n" + "\n".join(dict.fromkeys(rows))
    )


def _autoencoder_figures(folder: Path) -> str:
    about = json.loads((folder / "autoencoder.json").read_text(encoding="utf-8"))
    rows = [
        f"| {name} (held-out frames) | {value:.2f} dB |" for name, value in about["figures"].items()
    ]
    gate = folder / "gate.json"
    if gate.exists():
        measured = json.loads(gate.read_text(encoding="utf-8"))
        if measured["sha256"] == about["sha256"]:
            rows += [
                f"| {name} ({measured['num_clips']} new clips) | {value:.4g} |"
                for name, value in measured["figures"].items()
                if name != "num_clips"
            ]
    return "## What the autoencoder loses\n\n| figure | value |\n|---|---|\n" + "\n".join(rows)


def _knows(description: ModelDescription, sources: CardSources) -> str:
    clips = read_manifest(sources.shards)
    trained = clips[: len(clips) - _num_held_out(sources, len(clips))]
    captions = [caption for row in trained for caption in row["captions"]]
    seen = Counter(word for caption in captions for word in WORD.findall(caption.lower()))
    if sources.recipe.data.mirror and (seen["left"] or seen["right"]):
        seen.update(("left", "right"))
    rows = []
    for about, words in WORDS.items():
        present = [word for word in dict.fromkeys(words) if seen[word]]
        if present:
            rows.append(f"- {about}: {', '.join(present)}")
    listed = {word for words in WORDS.values() for word in words}
    others = sorted(word for word in seen if word not in listed and seen[word])
    if others:
        rows.append(f"- others: {', '.join(others)}")
    width, height = description.size.default
    return f"""## What it knows, and what it does not

Every word of the captions that it was shown:

{chr(10).join(rows)}

Whatever these words do not name was never shown to it, and no footage of the real world was.
Other sizes than {width}x{height} and clips longer than {description.seconds.default:.3g} s lie
outside of what it was trained on. The program says so when a prompt or a size asks for more."""


def _files(description: ModelDescription, num_parameters: dict[str, int]) -> str:
    rows = [
        f"| {name} | {num_parameters[name.removesuffix('.safetensors')]} | {file.size_bytes} "
        f"| `{file.sha256}` |"
        for name, file in description.files.items()
    ]
    head = "| file | parameters | bytes | SHA-256 |\n|---|---|---|---|\n"
    return "## Files\n\n" + head + "\n".join(rows)


def _recipes(sources: CardSources) -> str:
    about = json.loads((sources.autoencoder / "autoencoder.json").read_text(encoding="utf-8"))
    parts = ["## Recipes, every default resolved"]
    resolved = {"Transformer": recipe_values(sources.recipe), "Autoencoder": about["recipe"]}
    for name, values in resolved.items():
        parts.append(f"{name}:\n\n```json\n{json.dumps(values, indent=1, ensure_ascii=False)}\n```")
    return "\n\n".join(parts)
