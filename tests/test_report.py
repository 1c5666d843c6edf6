"""The report of the laws: what it says, that it stands alone, that everyone can read it."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from tests.report_results import LAWS, made_up_results, moving_square

from worldreel.core.errors import WorldreelError
from worldreel.evaluate.report.clips import animation, side_by_side
from worldreel.evaluate.report.marks import Axis, score_bar, score_place
from worldreel.evaluate.report.page import html_report, write_report
from worldreel.evaluate.report.plain import WIDTH, table_markdown, table_text
from worldreel.evaluate.report.scaling import frontier, loss_fit, scaling_section
from worldreel.evaluate.report.style import DARK, LIGHT, TEXT_COLOURS
from worldreel.evaluate.report.tables import trust_table
from worldreel.evaluate.report.words import (
    cell_interval,
    cell_mean,
    power_of_ten,
    seconds_text,
    share,
    where_it_fails,
)
from worldreel.evaluate.results import Cell, LawResult, MetricResult, Results, ScalingRow

VOID = {"meta", "br", "img", "source", "rect", "line", "path"}


class Page(HTMLParser):
    """Tags in order with their attributes, and whether every one is closed in turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def results() -> Results:
    return made_up_results()


@pytest.fixture(scope="module")
def html(results: Results) -> str:
    return html_report(results, moving_square)


def metric(generated: float | None, *, ceiling: float = 2.0, floor: float = 100.0) -> MetricResult:
    """An error in per cent whose generated clips have this mean."""

    def cell(mean: float) -> Cell:
        return Cell(mean=mean, low=mean - 0.5, high=mean + 0.5, num_clips=64)

    return MetricResult.compare(
        name="error_pct",
        label="error (%)",
        perfect=0,
        worst=100,
        floor_name="frozen",
        split="within",
        columns={
            "simulator": cell(ceiling),
            "floor": cell(floor),
            "generated": None if generated is None else cell(generated),
        },
    )


def of_laws(results: Results, *metrics: MetricResult) -> Results:
    laws = tuple(
        LawResult(number=i, name=f"Law {i}", question="?", metrics=(metric,))
        for i, metric in enumerate(metrics, 1)
    )
    return dataclasses.replace(results, laws=laws, splits=("within",), scaling=())


# results


def test_results_read_back_are_those_that_were_written(results):
    assert Results.from_json(results.to_json()) == results


def test_a_results_file_of_another_shape_names_the_key(results, tmp_path):
    path = tmp_path / "laws.json"
    path.write_text(results.to_json().replace('"failed_share"', '"failed_shore"', 1), "utf-8")
    with pytest.raises(WorldreelError, match=r"laws.json: unknown key .*failed_shore"):
        Results.read(path)
    with pytest.raises(WorldreelError, match="cannot be read"):
        Results.read(tmp_path / "none.json")


def test_a_figure_that_is_no_number_is_refused():
    with pytest.raises(WorldreelError, match="mean is nan"):
        Cell(mean=float("nan"), low=0, high=1, num_clips=64)
    with pytest.raises(WorldreelError, match=r"failed_share is 1\.5"):
        Cell(mean=0.5, low=0, high=1, num_clips=64, failed_share=1.5)


def test_a_column_that_does_not_exist_is_refused():
    with pytest.raises(WorldreelError, match="columns"):
        dataclasses.replace(metric(50), columns={"ceiling": None})


def test_scores_and_the_distance_of_floor_and_ceiling_follow_from_the_columns():
    found = metric(51)
    assert found.score == pytest.approx(0.5)
    assert found.score_interval == pytest.approx((0.5 - 0.5 / 98, 0.5 + 0.5 / 98))
    assert found.intervals_apart == pytest.approx(98)
    assert found.is_told_apart
    assert metric(None).score is None and metric(None).score_interval is None
    assert not metric(51, floor=9).is_told_apart
    assert metric(51, floor=2.0).score is None


def test_a_ceiling_without_spread_is_told_apart_from_any_other_floor():
    exact = Cell(mean=1, low=1, high=1, num_clips=64)
    columns = {"simulator": exact, "floor": dataclasses.replace(exact, mean=0, low=0, high=0)}
    fields = {"name": "p", "label": "p", "perfect": 1, "worst": 0, "floor_name": "frozen"}
    found = MetricResult.compare(**fields, split="within", columns=columns)
    assert found.intervals_apart is None and found.is_told_apart
    same = MetricResult.compare(**fields, split="within", columns={**columns, "floor": exact})
    assert same.is_told_apart is False


# the page


def test_every_tag_of_the_page_is_closed(html):
    Page(html)


def test_the_page_needs_no_other_file_and_no_network(html):
    page = Page(html)
    links = [value for _, tag in page.tags for key, value in tag.items() if key in ("src", "href")]
    links += [tag["srcset"] for tag in page.all("source")]
    assert links
    assert all(link and link.startswith(("#", "data:image/webp;base64,")) for link in links)
    assert not page.all("script") and not page.all("link")
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_every_link_within_the_page_has_its_target(html):
    page = Page(html)
    targets = {tag["id"] for _, tag in page.tags if "id" in tag}
    links = {tag["href"] for tag in page.all("a")}
    assert {link[1:] for link in links if link} <= targets


def test_the_page_says_what_was_asked_of_which_model_and_when(results, html):
    words = Page(html).words
    for text in ("Is it a world simulator?", "toybox 0.1.0", "2026-03-14", "2.13.0", "two cores"):
        assert text in words
    for law in results.laws:
        assert law.question in words and law.name in words
    assert "this law needs one that takes given frames" in words


def test_words_from_outside_cannot_become_markup(html):
    assert "<b>leaves out</b>" not in html
    assert "&lt;b&gt;leaves out&lt;/b&gt; rolling balls &amp; slides" in html


def test_every_figure_of_every_law_stands_in_the_page(results, html):
    words = Page(html).words
    for law in results.laws:
        for found in law.metrics:
            assert found.label in words
            for cell in found.columns.values():
                assert cell is None or cell_mean(cell) in words


def test_every_table_has_a_caption_and_every_header_a_scope(html):
    page = Page(html)
    assert len(page.all("table")) == len(page.all("caption")) >= 6
    assert page.all("th") and all(
        tag["scope"] in ("col", "row", "rowgroup") for tag in page.all("th")
    )


def test_every_plot_is_either_described_or_hidden_from_screen_readers(html):
    # a mark inside a plot is an svg of its own, with a place
    plots = [tag for tag in Page(html).all("svg") if "x" not in tag]
    assert plots and all("aria-label" in tag or "aria-hidden" in tag for tag in plots)


def test_the_same_results_give_the_same_page_to_the_byte(results, html):
    assert html_report(made_up_results(), moving_square) == html


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_marks_stand_out_as_wcag_asks(theme):
    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    def contrast(one: str, two: str) -> float:
        dark, light = sorted((luminance(theme[one]), luminance(theme[two])))
        return (light + 0.05) / (dark + 0.05)

    for name in TEXT_COLOURS:
        assert contrast(name, "paper") >= 4.5, name
        assert contrast(name, "panel") >= 4.5, name
    assert set(LIGHT) == set(DARK)


def test_the_page_is_written_whole(results, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, results)
    assert path.read_text("utf-8") == html_report(results)


def test_a_run_without_generated_clips_still_has_a_page(results):
    page = Page(html_report(of_laws(results, metric(None))))
    assert "No generated clips have been measured" in page.words
    assert "not scored" in page.words


# where it fails


def test_the_lowest_scores_come_first_and_are_said_in_words(results):
    found = where_it_fails(of_laws(results, metric(60), metric(95), metric(120), metric(3)))
    assert [finding.law for finding in found] == [3, 2, 1]
    assert found[0].sentence.startswith("worse than nonsense (score \u22120.20)")
    assert found[1].sentence.startswith("no better than nonsense (score 0.05)")
    assert "Error (%): 60.0, where the simulator has 2.0" in found[2].sentence


def test_a_model_as_good_as_the_simulator_fails_nowhere(results):
    good = of_laws(results, metric(2), metric(5))
    assert where_it_fails(good) == []
    assert "No law scores below 0.9" in Page(html_report(good)).words


def test_the_loss_beyond_training_is_named_with_the_law_that_loses_most(results):
    found = {finding.about: finding.sentence for finding in where_it_fails(results)}
    (sentence,) = (text for about, text in found.items() if about.startswith("Unseen"))
    assert re.search(r"goes from 0\.\d\d to 0\.\d\d; most is lost in [a-z ]+ \(", sentence)


def test_what_could_not_be_tracked_is_said(results):
    lost = metric(90)
    cell = lost.cell("generated")
    assert cell is not None
    columns = {**lost.columns, "generated": dataclasses.replace(cell, failed_share=0.4)}
    found = where_it_fails(of_laws(results, dataclasses.replace(lost, columns=columns)))
    assert "In 40% of the clips nothing could be tracked" in found[0].sentence
    assert found[-1].about == "Objects missing or torn"


def test_a_metric_that_cannot_tell_floor_from_ceiling_is_marked(results):
    sharp = trust_table(of_laws(results, metric(50)).laws, "within")
    blunt = trust_table(of_laws(results, metric(50, floor=8)).laws, "within")
    assert "under 10" not in sharp
    assert "6.0<small>under 10</small>" in blunt


def test_what_is_not_sharp_on_a_further_split_is_named(results):
    blunt, sharp = (
        dataclasses.replace(metric(50, floor=floor), split="unseen") for floor in (8, 100)
    )
    law = dataclasses.replace(results.laws[0], name="falling", metrics=(metric(50), blunt))
    told = dataclasses.replace(results, laws=(law,), splits=("within", "unseen"), scaling=())
    words = Page(html_report(told)).words
    assert "On unseen fewer than 10 intervals lie between floor and ceiling of: falling" in words
    law = dataclasses.replace(law, metrics=(metric(50), sharp))
    words = Page(html_report(dataclasses.replace(told, laws=(law,)))).words
    assert "On unseen every metric is as sharp as is asked for." in words


# clips


def test_a_worst_clip_loops_beside_the_truth_with_its_prompt(html):
    page = Page(html)
    source = page.all("img")[0]["src"]
    assert source is not None
    image = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
    assert (image.n_frames, image.size, image.info["loop"]) == (8, (32 + 4 + 32, 32), 0)
    durations = []
    for place in range(8):
        image.seek(place)
        image.load()
        durations.append(image.info["duration"])
    assert sum(durations) == round(8 / 12 * 1000)
    assert len(page.all("img")) == 4 * len(LAWS)
    assert page.words.count("A large red ball falls") == 4 * len(LAWS)
    assert all(tag["alt"] for tag in page.all("img"))


def test_who_wants_no_motion_gets_still_frames(html):
    page = Page(html)
    assert len(page.all("source")) == len(page.all("img"))
    assert all("prefers-reduced-motion" in (tag["media"] or "") for tag in page.all("source"))


def test_a_clip_that_is_gone_leaves_its_prompt(results):
    page = Page(html_report(results, lambda key, column: None))
    assert not page.all("img")
    assert page.words.count("A large red ball falls") == 4 * len(LAWS)


def test_two_clips_play_in_step_whatever_their_sizes_and_lengths():
    short, tall = np.zeros((3, 16, 16, 3), np.uint8), np.full((5, 256, 128, 3), 255, np.uint8)
    both = side_by_side(short, tall)
    assert both.shape == (5, 128, 16 + 4 + 64, 3)
    assert (both[:, :16, :16] == 0).all() and (both[:, :, -64:] == 255).all()


def test_a_clip_of_one_frame_is_a_picture():
    assert animation(np.zeros((1, 16, 16, 3), np.uint8), fps=12).startswith("data:image/webp")


# plots


def test_better_is_to_the_right_whichever_way_the_figure_runs():
    error = Axis([metric(50)])
    assert error.place(2) > error.place(50) > error.place(100)
    gain = Axis([dataclasses.replace(metric(50), perfect=100, worst=0)])
    assert gain.place(2) < gain.place(50) < gain.place(100)
    for axis in (error, gain):
        assert len(axis.ticks()) >= 2
        assert all(0 <= axis.place(tick) <= 1 for tick in axis.ticks())


def test_a_bar_reaches_from_the_floor_to_the_score():
    bar = Page(score_bar(metric(51), [0.2, None])).all("rect")[0]
    assert bar["x"] == f"{score_place(0):.2%}"
    assert bar["width"] == f"{score_place(0.5) - score_place(0):.2%}"


def test_a_score_beyond_the_axis_is_an_arrow_at_its_end():
    inside, outside = score_bar(metric(51), []), score_bar(metric(1000), [])
    assert 'x="1.00%"' in outside and 'x="1.00%"' not in inside
    assert "bar-bad" in outside and "bar-bad" not in inside


@pytest.mark.parametrize(
    ("mean", "half", "words"),
    [
        (34.21, 3.9, ("34", "30\u201338")),
        (0.834, 0.04, ("0.83", "0.79\u20130.87")),
        (-0.001, 0.004, ("\u22120.001", "\u22120.005 to 0.003")),
        (1234.4, 40, ("1,234", "1,194\u20131,274")),
        (1.0, 0, ("1.00", "1.00\u20131.00")),
        (-0.0001, 0.2, ("0.0", "\u22120.2 to 0.2")),
    ],
)
def test_a_figure_is_rounded_by_its_interval(mean, half, words):
    cell = Cell(mean=mean, low=mean - half, high=mean + half, num_clips=64)
    assert (cell_mean(cell), cell_interval(cell)) == words


def test_small_words():
    assert [share(value) for value in (0, 0.004, 0.126, 1)] == ["0%", "<1%", "13%", "100%"]
    assert [seconds_text(s) for s in (1.23, 59, 725, 7620)] == [
        *("1.2 s", "59 s", "12 min 5 s", "2 h 7 min")
    ]
    assert [power_of_ten(value) for value in (1.24e15, 9.99e-3)] == ["1.2·10¹⁵", "1.0·10⁻²"]


# plain text


def test_the_table_of_the_terminal_is_aligned_and_fits(results):
    long = dataclasses.replace(results.laws[0].metrics[0], label="a very long label " * 9)
    law = dataclasses.replace(results.laws[0], metrics=(long, *results.laws[0].metrics[1:]))
    for shown in (results, dataclasses.replace(results, laws=(law, *results.laws[1:]))):
        text = table_text(shown)
        assert max(map(len, text.splitlines())) <= WIDTH
        lines = text.split("within\n")[1].split("\n\n")[0].splitlines()
        assert len({len(line) for line in lines}) == 1
        assert "1 Free fall" in lines[2]


def test_every_row_of_the_markdown_table_has_the_same_cells(results):
    text = table_markdown(results, ["within"])
    rows = text.strip().splitlines()
    assert {row.count("|") for row in rows if row.startswith("|")} == {9}
    assert sum(len(metrics) for _, _, _, metrics in LAWS) + 1 + 4 == len(rows)
    assert "(constant velocity)" in text
    assert table_markdown(results).count("**") == 6


# scaling


def runs(*points: tuple[float, float]) -> list[ScalingRow]:
    return [
        ScalingRow(size="s", parameters=10, flops=flops, minutes=1, held_out_loss=loss)
        for flops, loss in points
    ]


def test_the_frontier_is_what_no_run_of_less_compute_beats():
    rows = runs((1, 1.0), (10, 0.9), (10, 0.7), (100, 0.8), (1000, 0.5))
    assert [row.held_out_loss for row in frontier(rows)] == [1.0, 0.7, 0.5]


def test_the_exponent_of_the_loss_is_named_under_its_plot():
    rows = runs(*((10.0**power, 2 * 10 ** (-0.08 * power)) for power in (12, 13, 14)))
    fit = loss_fit(rows)
    assert fit is not None and fit.exponent == pytest.approx(-0.08)
    words = Page(scaling_section(rows)).words
    assert "FLOPs\u22120.080" in words and "17% lower loss" in words


def test_one_budget_has_no_line():
    assert loss_fit(runs((1e13, 0.3))) is None
    assert "no line can be fitted" in Page(scaling_section(runs((1e13, 0.3)))).words


def test_without_training_runs_there_is_no_scaling_section(results):
    bare = dataclasses.replace(results, scaling=())
    assert 'id="scaling"' not in html_report(bare)
    assert 'id="scaling"' in html_report(results)
