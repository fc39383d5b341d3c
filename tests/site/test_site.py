"""Every built page in a real browser: two themes, two widths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.site.html_files import addresses, external_loads, identifiers
from tests.site.places import SCREENSHOTS, SITE

WIDE = {"viewport": {"width": 1440, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
SCREENS = {"wide": WIDE, "phone": PHONE}

# What a reader would see of a formula that MathJax did not draw, or could not read.
UNDRAWN = """() => {
  const article = document.querySelector("article");
  const formulas = [...document.querySelectorAll("article .math")];
  const bare = formulas.filter((node) => !node.querySelector("mjx-container"));
  const text = article ? article.cloneNode(true) : document.createElement("p");
  text.querySelectorAll("pre, code, script, style, mjx-container").forEach((node) => node.remove());
  const raw = text.textContent.match(/\\$\\$|\\\\\\(|\\\\\\[|\\{num\\}|\\{given\\}/g) || [];
  const errors = [...document.querySelectorAll("mjx-merror, [data-mjx-error]")];
  return [...bare.map((node) => node.textContent), ...raw,
          ...errors.map((node) => node.getAttribute("data-mjx-error") || node.textContent)];
}"""


# Checking every word of every listing, every sign of every formula and every row of a table of
# hundreds takes minutes; one of each kind is as sharp. Listings that bring no kind of word that an
# earlier one did not have are emptied, and so are formulas without a link; of each long table the
# first rows stay.
THIN = """() => {
  const seen = new Set();
  for (const listing of document.querySelectorAll("div.highlight pre")) {
    const kinds = [...listing.querySelectorAll("span[class]")].map((word) => word.className);
    if (kinds.every((kind) => seen.has(kind))) listing.textContent = "…";
    kinds.forEach((kind) => seen.add(kind));
  }
  const formulas = [...document.querySelectorAll("mjx-container")];
  formulas.slice(3).filter((formula) => !formula.querySelector("a"))
    .forEach((formula) => formula.replaceChildren());
  document.querySelectorAll("tbody").forEach(
    (body) => [...body.rows].slice(25).forEach((row) => row.remove()));
}"""
# Rules about colour depend on the theme, rules about room on the screen: two pairs cover both.
EXAMINED = {("light", "wide"), ("dark", "phone")}


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(SCREENS))
def screen(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(browser: Browser, theme: str, screen: str) -> Iterator[BrowserContext]:
    """A browser window of that width which was set to that theme before."""
    context = browser.new_context(**SCREENS[screen])
    settings = f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
    context.add_init_script(settings)
    yield context
    context.close()


def visit(context: BrowserContext, address: str, name: str) -> tuple[Page, list[str], list[str]]:
    """Open a page, wait until it is drawn, and return what it requested and complained about."""
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    response = page.goto(address + name, wait_until="load")
    assert response is not None
    assert response.ok
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.wait_for_load_state("networkidle")
    return page, requests, complaints


def test_page_is_whole(
    context: BrowserContext, address: str, page_name: str, theme: str, screen: str
) -> None:
    """Nothing foreign is loaded, nothing fails, formulas are drawn, all fits, axe is content."""
    page, requests, complaints = visit(context, address, page_name)
    foreign = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert foreign == []
    assert complaints == []
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate(UNDRAWN) == []
    # Not window.innerWidth: a phone widens its window to what a page needs.
    width, room = page.evaluate("document.documentElement.scrollWidth"), SCREENS[screen]["viewport"]
    shot = SCREENSHOTS / f"{page_name.removesuffix('.html').replace('/', '-')}-{theme}-{screen}.png"
    shot.parent.mkdir(parents=True, exist_ok=True)
    # Chromium draws no picture taller than this, and the register of a thousand numbers is.
    height = min(page.evaluate("document.documentElement.scrollHeight"), 16_000)
    corner = {"x": 0, "y": 0, "width": room["width"], "height": height}
    page.screenshot(path=shot, full_page=True, clip=corner)
    assert width <= room["width"], f"the page is {width} wide in a window of {room['width']}"
    if (theme, screen) in EXAMINED:
        page.evaluate(THIN)
        assert serious_violations(page) == []


def serious_violations(page: Page, part: str | None = None) -> list[str]:
    """Return what axe calls serious or critical on a page, or in one part of it."""
    report: dict[str, Any] = Axe().run(page, context=part).response
    return [
        f"{found['impact']}: {found['help']}: "
        + "; ".join(node["html"][:160] for node in found["nodes"][:3])
        for found in report["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def numbers_of(page: Page) -> Iterator[tuple[Any, Any]]:
    """Yield the first prose number and the first number in a formula, each with its note."""
    for selector in ("article a.num:not(.num-note)", "article a.num-note"):
        link = page.locator(selector).first
        if link.count():
            note = page.locator("#" + str(link.get_attribute("aria-describedby")))
            yield link, note


def pages_with(selector_text: str) -> list[str]:
    return [
        path.relative_to(SITE).as_posix()
        for path in sorted((SITE / "notebooks").glob("*.html"))
        if selector_text in path.read_text(encoding="utf-8")
    ]


def test_note_opens_for_pointer_and_keyboard(
    context: BrowserContext, address: str, theme: str, screen: str
) -> None:
    """A number's note opens on hover and on focus, stays under the pointer, closes with Escape."""
    names = pages_with('class="num"')
    assert names
    for name in names:
        page, _, _ = visit(context, address, name)
        for link, note in numbers_of(page):
            expect(note).to_be_hidden()
            link.focus()
            expect(note).to_be_visible()
            box = note.bounding_box()
            view = page.viewport_size
            assert box is not None
            assert view is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= view["width"]
            assert serious_violations(page, ".num-tip:not([hidden])") == []
            page.keyboard.press("Escape")
            expect(note).to_be_hidden()
            page.evaluate("document.activeElement.blur()")
        link, note = next(numbers_of(page))
        if screen == "phone":
            link.tap()
            expect(note).to_be_visible()
            assert page.url.endswith(name), "the first tap must not leave the page"
            link.tap()
            page.wait_for_url("**/book/evidence.html#claim-*")
            continue
        link.hover()
        expect(note).to_be_visible()
        note.hover()
        page.wait_for_timeout(400)
        expect(note).to_be_visible()
        shot = SCREENSHOTS / f"note-{Path(name).stem}-{theme}.png"
        page.screenshot(path=shot)
        page.mouse.move(2, 2)
        expect(note).to_be_hidden()
        drawn = page.locator("mjx-math .num-drawn").first
        if drawn.count():
            drawn.hover()
            expect(page.locator(".num-tip:not([hidden])")).to_have_count(1)


def test_badge_opens_and_its_links_lead_somewhere(
    context: BrowserContext, address: str, theme: str, screen: str
) -> None:
    """A badge opens by keyboard, shows its checks, and cites without a loopback address."""
    for name in pages_with("equation-badge"):
        page, _, _ = visit(context, address, name)
        badge = page.locator("details.equation-badge").first
        badge.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(badge.locator("ul.checks")).to_be_visible()
        assert serious_violations(page, "details.equation-badge[open]") == []
        shot = SCREENSHOTS / f"badge-{Path(name).stem}-{theme}-{screen}.png"
        page.screenshot(path=shot)
        entry = badge.locator("pre.bibtex").text_content()
        assert entry is not None
        assert entry.startswith("@incollection{scispaces-")
        assert address not in entry
        badge.locator("ul.checks a").first.click()
        page.wait_for_load_state()
        anchor = page.evaluate("decodeURIComponent(location.hash.slice(1))")
        assert page.locator(f'[id="{anchor}"] .highlight').count() == 1


def test_every_internal_link_leads_to_an_element() -> None:
    """Links between pages, and their fragments, exist."""
    files = [path for path in SITE.rglob("*.html") if "_static" not in path.parts]
    ids = {path: identifiers(path) for path in files}
    broken = []
    for path in files:
        for link in addresses(path):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name.partition("?")[0]).resolve() if name else path
            if not target.is_file() or (anchor and anchor not in ids.get(target, {anchor})):
                broken.append(f"{path.relative_to(SITE)}: {link}")
    assert broken == []


def test_no_file_names_another_host() -> None:
    """The HTML and CSS name no address to load from, thebe's included."""
    assert external_loads(SITE) == []


def test_documents_for_programs_agree_with_the_pages() -> None:
    """`equations.json` and `evidence.json` point at elements that exist."""
    documents = [(SITE / name).read_text("utf-8") for name in ("equations.json", "evidence.json")]
    entries = [entry for document in documents for entry in json.loads(document)]
    assert entries
    for entry in entries:
        file, _, anchor = entry["url"].partition("#")
        assert f'id="{anchor}"' in (SITE / file).read_text("utf-8")


def test_slider_figure_works_by_keyboard_and_says_what_it_shows(
    context: BrowserContext, address: str
) -> None:
    """Arrow keys move a slider, the numbers follow, and the outcome is announced."""
    for name in pages_with('class="gradient-mass"'):
        page, _, complaints = visit(context, address, name)
        slider = page.get_by_label("Number of negatives")
        output = page.locator(".gradient-mass output").first
        slider.focus()
        before = output.text_content()
        page.keyboard.press("ArrowRight")
        assert output.text_content() != before
        assert slider.get_attribute("aria-valuetext") == output.text_content()
        page.keyboard.press("Home")
        expect(page.locator(".gradient-mass [role=status]")).to_contain_text("1.00 times under BCE")
        assert complaints == []
