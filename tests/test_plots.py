"""The house style: both themes, words for those who do not see, the same bytes every time."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scispaces import plots


def lines(axes: Axes) -> None:
    for shift in range(len(plots.palette())):
        axes.plot([0, 1, 2], [shift, 1, 2 * shift], label=f"shift {shift}")
    axes.set_xlabel("score $s$")
    axes.legend()


def relative_luminance(colour: str) -> float:
    """WCAG 2's relative luminance of a colour such as #0072B2."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("theme", "paper"), [("light", "#fffefb"), ("dark", "#14181c")])
def test_every_colour_stands_out_from_the_page(theme: str, paper: str) -> None:
    with mpl.rc_context(plots.style(theme)):
        colours = plots.palette()
    for colour in colours:
        pair = sorted([relative_luminance(colour), relative_luminance(paper)])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 3, colour


def test_colours_have_line_styles_as_a_second_channel() -> None:
    cycle = list(plots.style("light")["axes.prop_cycle"])
    assert len({str(entry["linestyle"]) for entry in cycle}) == len(cycle)
    assert len(plots.MARKERS) == len(cycle)


def test_drawing_twice_gives_the_same_bytes_and_no_metadata() -> None:
    first, second = (plots.svg(lines, name="twice") for _ in range(2))
    assert first == second
    assert "<metadata>" not in first


def test_names_keep_the_ids_of_two_figures_apart() -> None:
    ids = [
        set(re.findall(r'id="(m[0-9a-f]{10})"', plots.svg(lines, name=name)))
        for name in ("one", "two")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_settings_do_not_leak_out() -> None:
    before = dict(mpl.rcParams)
    plots.svg(lines, theme="dark")
    assert dict(mpl.rcParams) == before


def test_a_figure_has_both_themes_with_words_and_a_caption() -> None:
    shown = plots.figure_html(lines, alt='Lines & "more"', caption="A < B", name="zlpr-lines")
    figure = ElementTree.fromstring(re.sub(r"(<img[^>]*)>", r"\1/>", shown))
    pictures = figure.findall(".//img")
    assert [picture.get("class") for picture in pictures] == ["only-light", "only-dark"]
    assert {picture.get("alt") for picture in pictures} == {'Lines & "more"'}
    assert figure.get("id") == "zlpr-lines"
    assert figure.findtext("figcaption") == "A < B"
    drawn = [
        base64.b64decode(str(picture.get("src")).partition("base64,")[2]) for picture in pictures
    ]
    assert all(ElementTree.fromstring(text).tag.endswith("svg") for text in drawn)
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("missing", ["alt", "caption", "name"])
def test_a_figure_without_words_is_refused(missing: str) -> None:
    words = {"alt": "Lines.", "caption": "Lines.", "name": "lines", missing: "  "}
    with pytest.raises(ValueError, match=f"`{missing}` must say something"):
        plots.figure_html(lines, **words)


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="Got 'sepia'"):
        plots.style("sepia")


def test_a_drawing_function_may_ask_for_the_whole_figure() -> None:
    seen: list[Figure] = []

    def two(figure: Figure) -> None:
        seen.append(figure)
        figure.subplots(1, 2)

    plots.svg(two)
    assert len(seen[0].axes) == 2


def test_critical_difference_diagram_names_every_method_once() -> None:
    figure = Figure()
    axes = figure.add_subplot()
    with mpl.rc_context(plots.style("light")):
        plots.critical_difference_diagram(axes, {"a": 1.2, "b": 2.0, "c": 2.8}, 1.0)
    texts = [text.get_text().strip() for text in axes.texts]
    assert [text for text in texts if "a" in text.split() or "c" in text.split()] == [
        "a  1.20",
        "2.80  c",
    ]
    assert texts[-1] == "critical difference 1.00"


def test_rank_groups_are_the_largest_ones_only() -> None:
    assert plots.rank_groups([1.0, 2.0, 3.0], 2.0) == [(1.0, 3.0)]
    assert plots.rank_groups([1.0, 2.0, 3.0], 1.0) == [(1.0, 2.0), (2.0, 3.0)]
    assert plots.rank_groups([1.0, 3.0], 1.0) == []


@pytest.mark.parametrize(
    ("ranks", "difference", "message"),
    [({"a": 1.0}, 1.0, "two methods"), ({"a": 1.0, "b": 2.0}, 0.0, "must be positive")],
)
def test_a_senseless_critical_difference_diagram_is_refused(
    ranks: dict[str, float], difference: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plots.critical_difference_diagram(Figure().add_subplot(), ranks, difference)


def test_dot_plot_draws_a_row_for_each_estimate_from_the_top() -> None:
    axes = Figure().add_subplot()
    plots.dot_plot_with_intervals(axes, {"x": (1, 0, 2), "y": (3, 2, 4)}, reference=0, label="gain")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert axes.get_xlabel() == "gain"


def test_an_estimate_outside_its_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="Got 'x': 3"):
        plots.dot_plot_with_intervals(Figure().add_subplot(), {"x": (3, 0, 2)})


def test_the_slider_is_self_contained_and_says_what_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("scispaces.plots.house.display_html", shown.append)
    plots.gradient_mass_slider()
    [markup] = shown
    assert "<noscript>" in markup
    assert not re.search(r"https?:|src=|@import", markup)
    controls = re.findall(r'<input id="([^"]+)"', markup)
    assert len(controls) == 3
    assert "three sliders" in markup
    for control in controls:
        assert f'<label for="{control}">' in markup


def test_a_fragment_that_loads_from_another_host_is_refused() -> None:
    with pytest.raises(ValueError, match="must load nothing"):
        plots.interactive(
            '<script src="https://example.org/x.js"></script>',
            name="x",
            caption="x",
            fallback_text="x",
        )


def table(rows: list[dict[str, object]], **options: object) -> ElementTree.Element:
    words = {"caption": "A < B", "name": "zlpr-table"}
    return ElementTree.fromstring(plots.table_html(rows, **{**words, **options}))


def test_a_table_has_heads_for_its_columns_and_rows() -> None:
    rows = [{"loss": "ZLPR & co", "F1": 0.71234}, {"loss": "BCE", "F1": None}]
    box = table(rows)
    assert box.get("id") == "zlpr-table"
    assert box.findtext("figcaption") == "A < B"
    [scrolling] = box.findall("div")
    assert (scrolling.get("aria-label"), scrolling.get("tabindex")) == ("A < B", "0")
    assert [(head.text, head.get("scope")) for head in box.iter("th")] == [
        ("loss", "col"), ("F1", "col"), ("ZLPR & co", "row"), ("BCE", "row"),
    ]  # fmt: skip
    assert [cell.text for cell in box.iter("td")] == ["0.712", "–"]
    assert {cell.get("class") for cell in box.iter("td")} == {"number"}


def test_numbers_of_a_table_are_written_as_its_formats_say() -> None:
    row = {"name": "a", "gain": -0.05, "count": 12406, "share": 0.5, "in": "7 of 9", "best": True}
    cells = list(table([row], formats={"gain": "+.3f", "count": ",d", "share": ".0%"}).iter("td"))
    assert [cell.text for cell in cells] == ["−0.050", "12,406", "50%", "7 of 9", "yes"]
    assert [cell.get("class") for cell in cells] == ["number"] * 4 + [None]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "one row at least"),
        ([{"a": 1}, {"b": 1}], {}, r"the columns \['a'\]. Got \['b'\]"),
        ([{"a": 1}], {"formats": {"b": ".1f"}}, "Got b"),
        ([{"a": 1}], {"caption": " "}, "`caption` must say something"),
    ],
)
def test_a_senseless_table_is_refused(
    rows: list[dict[str, object]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        table(rows, **options)
