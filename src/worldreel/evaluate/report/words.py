"""Figures and findings in words: rounding, verdicts, where a model fails."""

import math
from dataclasses import dataclass

from worldreel.evaluate.results import Cell, Column, LawResult, MetricResult, Results

PROMPT_LAW = 12
"""The law that asks whether the prompt was followed."""

LIKE_SIMULATOR = 0.9
LIKE_NONSENSE = 0.1

COLUMN_NAMES: dict[Column, str] = {
    "simulator": "simulator",
    "round_trip": "autoencoder",
    "generated": "generated",
    "floor": "floor",
}

FLOOR_NAMES = {
    "frozen": "frozen",
    "shuffled_frames": "shuffled frames",
    "reversed": "reversed",
    "shuffled_pairing": "shuffled pairing",
    "constant_velocity": "constant velocity",
    "chance": "chance",
}

FLOOR_MEANINGS = {
    "frozen": "the simulator's first frame, held throughout",
    "shuffled_frames": "the simulator's frames in a random order",
    "reversed": "the simulator's clip run backwards",
    "shuffled_pairing": "the simulator's clip of another prompt of the same kind",
    "constant_velocity": "objects that go on as they began, through everything",
    "chance": "no clip at all: what guessing gives",
}

SPLIT_MEANINGS = {
    "within": "drawn as in training",
    "outside": "beyond the training ranges: faster, larger or higher",
    "unseen": "combinations that were never seen together in training",
}


@dataclass(frozen=True)
class Finding:
    """One thing that the results show: what it is about, and the sentence."""

    about: str
    sentence: str
    law: int | None = None


def number(value: float, decimals: int) -> str:
    """A number with a true minus sign, and no minus before zero."""
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "\u2212")


def cell_decimals(cell: Cell) -> int:
    """As many decimals as show one digit of the interval's half width, at most three."""
    half = cell.width / 2 or abs(cell.mean) / 100
    return min(3, max(0, -math.floor(math.log10(half)))) if half > 0 else 0


def cell_mean(cell: Cell) -> str:
    """The mean, rounded by its interval."""
    return number(cell.mean, cell_decimals(cell))


def cell_interval(cell: Cell) -> str:
    """``low to high``, rounded like the mean; a dash serves where no end is negative."""
    decimals = cell_decimals(cell)
    low, high = number(cell.low, decimals), number(cell.high, decimals)
    return f"{low} to {high}" if "\u2212" in low + high else f"{low}\u2013{high}"


def score_text(value: float | None) -> str:
    """A score with two decimals."""
    return "\u2013" if value is None else number(value, 2)


def share(value: float) -> str:
    """0.014 as ``1%``; what is not zero never reads as zero."""
    if 0 < value < 0.01:
        return "<1%"
    return f"{value:.0%}"


def seconds_text(seconds: float) -> str:
    """``41 s``, ``12 min 5 s``, ``2 h 7 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def power_of_ten(value: float) -> str:
    """1.2e15 as ``1.2·10¹⁵``."""
    exponent = math.floor(math.log10(value))
    digits = f"{value / 10**exponent:.1f}"
    if digits == "10.0":
        digits, exponent = "1.0", exponent + 1
    return f"{digits}\u00b710{superscript(exponent)}"


def superscript(value: int) -> str:
    """-15 as ``⁻¹⁵``."""
    return str(value).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def clips_text(results: Results) -> str:
    """How many clips a group has."""
    counts = sorted(set(results.num_clips.values()))
    if not counts:
        return ""
    spread = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{spread} clips of each kind"


def floor_name(metric: MetricResult) -> str:
    """What the floor column shows, in a word or two."""
    return FLOOR_NAMES.get(metric.floor_name, metric.floor_name.replace("_", " "))


def lede(results: Results) -> str:
    """The answer in two sentences: how many laws hold, by the score of each first metric."""
    split = results.splits[0]
    heads = [law.headline(split) for law in results.laws]
    scores = [head.score for head in heads if head is not None and head.score is not None]
    if not scores:
        return "No generated clips have been measured yet; what follows is the measurement alone."
    good = sum(value >= LIKE_SIMULATOR for value in scores)
    bad = sum(value < LIKE_NONSENSE for value in scores)
    between = len(scores) - good - bad
    parts = [
        f"{_count(good)} kept about as well as the simulator keeps them "
        f"(score {LIKE_SIMULATOR} or more)",
        f"{_count(between)} kept in part",
        f"{_count(bad)} kept no better than nonsense would (below {LIKE_NONSENSE})",
    ]
    noun = "law" if len(scores) == 1 else "laws"
    text = f"Of {len(scores)} {noun} measured {parts[0]}, {parts[1]} and {parts[2]}."
    unmeasured = sum(head is None or head.score is None for head in heads)
    if unmeasured:
        text += f" {unmeasured} more could not be scored here."
    return text


def _count(value: int) -> str:
    return "none is" if value == 0 else f"{value} is" if value == 1 else f"{value} are"


def verdict(value: float) -> str:
    """A score in words."""
    if value < 0:
        return "worse than nonsense"
    if value < LIKE_NONSENSE:
        return "no better than nonsense"
    if value < 0.5:
        return "nearer to nonsense than to the simulator"
    if value < LIKE_SIMULATOR:
        return "short of the simulator"
    return "about as good as the simulator"


def where_it_fails(results: Results, count: int = 6) -> list[Finding]:
    """The laws with the lowest scores, worst first, and what the failures have in common."""
    split = results.splits[0]
    scored = [
        (head.score, law, head)
        for law in results.laws
        if (head := law.headline(split)) is not None and head.score is not None
    ]
    scored.sort(key=lambda row: (row[0], row[1].number))
    low = [row for row in scored if row[0] < LIKE_SIMULATOR][:count]
    findings = [_low_score(value, law, head) for value, law, head in low]
    return findings + _beyond(results) + _lost(results)


def _low_score(value: float, law: LawResult, head: MetricResult) -> Finding:
    generated, ceiling, floor = (head.cell(c) for c in ("generated", "simulator", "floor"))
    assert generated is not None and ceiling is not None and floor is not None
    sentence = (
        f"{verdict(value)} (score {score_text(value)}). {_sentence_case(head.label)}: "
        f"{cell_mean(generated)}, where the simulator has {cell_mean(ceiling)} and the floor "
        f"({floor_name(head)}) {cell_mean(floor)}."
    )
    if generated.failed_share >= 0.05:
        sentence += f" In {share(generated.failed_share)} of the clips nothing could be tracked."
    trip = head.score_round_trip
    if trip is not None and trip < 0.8:
        sentence += f" The autoencoder alone brings the simulator down to {score_text(trip)}."
    return Finding(about=law.name, sentence=sentence, law=law.number)


def _beyond(results: Results) -> list[Finding]:
    """How scores change from the first split to the others, over the laws that have both."""
    first, *others = results.splits
    findings = []
    for split in others:
        pairs = []
        for law in results.laws:
            here, there = law.headline(first), law.headline(split)
            if here and there and here.score is not None and there.score is not None:
                pairs.append((there.score - here.score, here.score, there.score, law))
        if not pairs:
            continue
        before = sum(pair[1] for pair in pairs) / len(pairs)
        after = sum(pair[2] for pair in pairs) / len(pairs)
        drop, was, now, law = min(pairs, key=lambda pair: pair[0])
        sentence = (
            f"the mean score of the {len(pairs)} laws measured in both goes from "
            f"{score_text(before)} to {score_text(after)}"
        )
        if drop < -0.05:
            sentence += (
                f"; most is lost in {law.name.lower()} ({score_text(was)} to {score_text(now)})"
            )
        meaning = SPLIT_MEANINGS.get(split)
        about = _sentence_case(split) + (f" ({meaning})" if meaning else "")
        findings.append(Finding(about=about, sentence=f"{sentence}."))
    return findings


def _lost(results: Results) -> list[Finding]:
    """The law whose clips could be tracked least, where many could not."""
    cells = [
        (cell.failed_share, law)
        for law in results.laws
        if (head := law.headline(results.splits[0])) and (cell := head.cell("generated"))
    ]
    many = [law for failed, law in cells if failed >= 0.25]
    if not many:
        return []
    most, law = max(cells, key=lambda row: row[0])
    sentence = (
        f"in {len(many)} of {len(cells)} laws a quarter of the clips or more show nothing that can "
        f"be tracked, most in {law.name.lower()} ({share(most)}); they count as the worst value"
    )
    return [Finding(about="Objects missing or torn", sentence=f"{sentence}.")]


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
