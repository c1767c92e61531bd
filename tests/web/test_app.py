"""What a person does in a browser: drag, type, come back, without a script, without a mouse, in the dark, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.serving.conftest import smollm2
from tests.web.browser import AXE, CHROMIUM, QUIET, Tab, pages_served

playwright = pytest.importorskip("playwright.sync_api")
__all__ = ["smollm2"]  # the fixture
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")

FIT = "/fit?model=gpt-oss-20b&device=RTX+4090&context=131072&users=2"
PAGES = (
    "/",
    FIT,
    "/fit?device=RTX+3060+12GB&model=qwen3.6-27b",
    "/plan?device=RTX+4090",
    "/compare",
    "/compare?plan=device%3DRTX+4090%23p1&plan=budget%3D1000000JPY%23p2&device=RTX+5090",
    "/computer",
    "/catalogue",
    "/catalogue/devices?search=4090",
    "/catalogue/machines",
    "/catalogue/models?search=gpt",
    "/catalogue/record?name=RTX+4090",
    "/catalogue/record?name=gpt-oss-20b",
    "/accuracy",
    "/article",
    "/nosuch",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        with pages_served() as address:
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield found
        found.close()


@pytest.fixture
def opened(browser: Any, site: str) -> Iterator[Any]:
    contexts = []

    def opened(
        path: str, *, width: int = 1280, language: str = "en-US", dark: bool = False, script: bool = True
    ) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, locale=language, java_script_enabled=script,
            color_scheme="dark" if dark else "light",
        )  # fmt: skip
        contexts.append(context)
        tab = Tab(context)
        tab.page.goto(site + path)
        tab.page.wait_for_load_state("networkidle")
        return tab

    yield opened
    for context in contexts:
        context.close()


def test_a_drag_is_what_the_server_says(opened: Any, site: str) -> None:
    """Every stop of the slider shows at once what the server then confirms."""
    tab = opened(FIT)
    seen = set()
    for key in ("Home", "ArrowRight", "End"):
        tab.page.focus("#s-users")
        tab.page.keyboard.press(key)
        at_once = tab.text("#verdict"), tab.text("#takes"), tab.text(".bar figcaption")
        tab.settle()
        assert (tab.text("#verdict"), tab.text("#takes"), tab.text(".bar figcaption")) == at_once
        seen.add(at_once[0])
        users = tab.page.input_value("#f-users")
        assert f"users={users}" in tab.page.url
    assert len(seen) == 3
    assert any("does not fit" in words for words in seen)
    assert tab.said == []
    assert tab.hosts == {urlsplit(site).netloc}


def test_a_drag_moves_the_bar_and_the_server_draws_it_anew(opened: Any) -> None:
    """Where the parts stand while it is dragged is where the server's drawing has them afterwards."""
    tab = opened(FIT)
    tab.page.wait_for_selector("#map-svg")
    places = "[...document.querySelectorAll('.bar .wide .memory-bar')].map(svg => [svg.classList.contains('moves'),"
    places += (
        " [...svg.querySelectorAll('rect[data-part]')].map(r => [r.dataset.part, Math.round(r.getAttribute('x') * 10), "
    )
    places += "Math.round(r.getAttribute('width') * 10)])])"
    tab.page.focus("#s-users")
    tab.page.route("**/fit?*", lambda route: route.abort())
    tab.page.keyboard.press("End")
    dragged = tab.page.evaluate(places)
    assert [moves for moves, _ in dragged] == [True, True]
    tab.page.unroute("**/fit?*")
    tab.page.keyboard.press("ArrowLeft")
    tab.page.keyboard.press("ArrowRight")
    tab.settle()
    drawn = tab.page.evaluate(places)
    assert [moves for moves, _ in drawn] == [False, False]
    for (_, before), (_, after) in zip(dragged, drawn, strict=True):
        assert [part for part, *_ in before] == [part for part, *_ in after]
        for one, other in zip(before, after, strict=True):
            assert abs(one[1] - other[1]) <= 1
            assert abs(one[2] - other[2]) <= 1


def test_a_link_is_the_whole_question(opened: Any) -> None:
    tab = opened(FIT)
    tab.page.check("input[name=kv_type][value=q8_0]")
    tab.settle()
    verdict, address = tab.text("#verdict"), tab.page.url
    assert "kv_type=q8_0" in address
    path = urlsplit(address)
    again = opened(f"{path.path}?{path.query}")
    assert again.text("#verdict") == verdict
    tab.page.reload()
    assert tab.text("#verdict") == verdict
    tab.follow("nav a >> nth=1")
    tab.page.go_back()
    assert tab.text("#verdict") == verdict


def test_a_typed_value_between_stops(opened: Any) -> None:
    tab = opened(FIT)
    tab.page.fill("#f-context", "20000")
    tab.page.keyboard.press("Tab")
    tab.settle()
    assert "20,000 tokens" in tab.text("#takes")
    assert "context=20000" in tab.page.url


def test_a_cell_of_the_map(opened: Any) -> None:
    tab = opened(FIT)
    tab.page.click("#map-svg rect[data-c='0'][data-u='0']")
    tab.settle()
    assert tab.page.input_value("#f-users") == "1"
    assert "It fits." in tab.text("#verdict")
    tab.page.click("#map summary")
    assert tab.page.locator("#map-table thead th").count() == 1 + 3, "a column for each type of cache"
    assert tab.page.locator("#map-table tbody tr").count() == tab.page.locator("#map-svg rect[data-u='0']").count()


def test_without_a_script(opened: Any) -> None:
    tab = opened(FIT, script=False)
    assert "at least" in tab.text("#verdict")
    assert not tab.page.is_visible("#s-context")
    assert not tab.page.is_visible("button[data-copy]")
    tab.page.fill("#f-users", "16")
    tab.follow("button.first")
    assert "It does not fit." in tab.text("#verdict")
    tab.follow(".mend a >> nth=0")
    assert "It fits." in tab.text("#verdict")
    start = opened("/", script=False)
    start.page.fill("#budget-budget", "3000USD")
    start.follow("form >> nth=1 >> button")
    assert "Buy" in start.text(".tree .verdict")


def test_with_the_keyboard_alone(opened: Any) -> None:
    tab = opened("/")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    for _ in range(40):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("document.activeElement.id") == "model-model":
            break
    tab.page.keyboard.press("Control+A")
    tab.page.keyboard.type("llama3.1-8b")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/fit?*")
    tab.page.wait_for_load_state("networkidle")
    tab.page.keyboard.press("u")
    assert tab.page.evaluate("document.activeElement.id") == "s-users"
    tab.page.keyboard.press("End")
    assert tab.page.input_value("#f-users") == "64"


def test_single_keys_can_be_switched_off(opened: Any) -> None:
    tab = opened(FIT)
    tab.page.keyboard.press("?")
    assert tab.page.is_visible("#keys")
    assert "This list" in tab.text("#keys")
    tab.page.uncheck("#keys-on")
    tab.page.keyboard.press("Escape")
    assert not tab.page.is_visible("#keys")
    for key in ("m", "c", "?"):
        tab.page.keyboard.press(key)
        assert not tab.page.is_visible("#keys")
        assert tab.page.evaluate("document.activeElement.id") not in ("f-model", "s-context")
    tab.page.reload()
    tab.page.keyboard.press("c")
    assert tab.page.evaluate("document.activeElement.id") != "s-context", "it is kept"
    tab.page.click("#keys-open")
    tab.page.check("#keys-on")
    tab.page.keyboard.press("Escape")
    tab.page.locator("#keys-open").blur()
    tab.page.keyboard.press("c")
    assert tab.page.evaluate("document.activeElement.id") == "s-context"


def test_keys_before_the_map_is_there(opened: Any) -> None:
    tab = opened("/")
    held: list[Any] = []
    tab.page.route("**/api/v1/memory-map*", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks it
    tab.page.goto(tab.page.url.rstrip("/") + FIT)
    tab.page.keyboard.press("u")
    tab.page.keyboard.press("End")
    assert tab.page.input_value("#f-users") == "64"
    tab.page.wait_for_url("**users=64*")
    for route in held:
        route.continue_()
    tab.page.wait_for_selector("#map-svg")
    assert tab.page.input_value("#f-users") == "64"
    assert tab.page.evaluate("document.getElementById('s-users').max") == tab.page.input_value("#s-users")
    assert tab.said == []


def test_in_japanese_from_the_start_to_a_command(opened: Any) -> None:
    tab = opened("/", language="ja-JP")
    assert tab.page.evaluate("document.documentElement.lang") == "ja"
    tab.page.fill("#machine-device", "RTX 4090")
    tab.follow("form >> nth=0 >> button")
    assert "収まり" in tab.text("main") or "実行" in tab.text("main") or "RTX 4090" in tab.text(".tree .verdict")
    tab.follow(".plans a >> nth=0")
    assert "収まります。" in tab.text("#verdict")
    assert "llama-server" in tab.text("#command pre >> nth=0")


def test_plans_follow_the_sliders(opened: Any) -> None:
    tab = opened("/plan?budget=1000000JPY")
    before = tab.text("#result .verdict")
    tab.page.focus("[data-for=budget]")
    tab.page.keyboard.press("Home")
    tab.page.wait_for_url("**budget=100000JPY*")
    assert tab.page.input_value("#f-budget") == "100000JPY"
    assert tab.text("#result .verdict") != before
    tab.page.fill("#f-context", "nonsense")
    tab.page.keyboard.press("Tab")
    tab.page.wait_for_selector("#result .error")
    assert "nonsense" in tab.text("#result")
    tab.page.fill("#f-context", "8k")
    tab.page.keyboard.press("Tab")
    tab.page.wait_for_selector("#result .verdict")
    assert [line for line in tab.said if "400" not in line] == []


def test_plans_are_ticked_and_compared_without_a_script(opened: Any) -> None:
    tab = opened("/plan?device=RTX+4090", script=False)
    names = [words.split(" · ")[0][3:] for words in tab.page.locator(".plans h3").all_inner_texts()]
    tab.page.uncheck(".plans input[type=checkbox] >> nth=0")
    tab.page.uncheck(".plans input[type=checkbox] >> nth=2")
    tab.follow("#compare")
    heads = tab.page.locator(".plans h3").all_inner_texts()
    assert len(heads) == len(names) - 2
    assert names[1].split()[0] in heads[0]
    tab.follow("text=Add plans of another question")
    tab.page.fill("#f-device", "RTX 3060 12GB")
    tab.follow("button.first")
    tab.follow("#compare")
    assert "RTX 3060 12GB" in tab.page.locator(".plans h3").all_inner_texts()[-1]
    tab.follow("text=Leave it out >> nth=0")
    assert tab.page.locator(".plans h3").all_inner_texts()[0] != heads[0]


def test_in_the_dark(opened: Any) -> None:
    tab = opened("/", dark=True)
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 23, 26)"
    tab.follow("footer a >> text=light")
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 250, 247)"


def test_a_file_is_opened(opened: Any, smollm2: Path) -> None:
    tab = opened(FIT)
    tab.page.set_input_files("#open-file", __file__)
    tab.page.wait_for_selector("#open-said.bad")
    assert "is not a GGUF file" in tab.text("#open-said")
    tab.page.set_input_files("#open-file", str(smollm2))
    tab.page.wait_for_url("**model=file*")
    assert "SmolLM2" in tab.text("h1")
    assert "cannot be shared" in tab.text(".question")
    assert tab.page.input_value("#f-users") == "2", "the question stays"
    assert "It fits." in tab.text("#verdict")
    without = opened(FIT, script=False)
    assert not without.page.is_visible("#open"), "whole files are never sent"


def test_a_server_from_its_start_to_its_stop(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest real model: its memory moves without a reload, and what is typed stays."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pages_served() as address:
        context = browser.new_context(locale="en-US")
        tab = Tab(context)
        tab.page.goto(f"{address}/computer")
        try:
            tab.page.fill("#start-name", "office")
            tab.page.fill("#start-context", "512")
            tab.page.click("#start button.first")
            tab.page.wait_for_selector(".status.good", timeout=60_000)
            assert (tab.text("#live .verdict >> nth=0") or "").startswith(
                ("Running as predicted.", "Buffers as predicted;")
            )
            tab.page.fill("#bench-users-1", "1")
            # A line: it has been looked at twice. One that is level counts as hidden.
            tab.page.wait_for_selector("#memory-1 .wide path.line0", timeout=20_000, state="attached")
            assert tab.page.input_value("#bench-users-1") == "1"
        finally:
            tab.page.click("button.stop")
        tab.page.wait_for_selector("text=Nothing runs here.", timeout=30_000)
        assert tab.said == []
        assert tab.hosts == {urlsplit(address).netloc}
        context.close()


CUT_CELLS = """
() => [...document.querySelectorAll('th, td')].filter(cell => cell.getClientRects().length).flatMap(cell => {
  const scrolls = cell.closest('.scroll'), box = cell.getBoundingClientRect();
  if (scrolls) {
    const style = getComputedStyle(scrolls).overflowX, role = scrolls.getAttribute('role');
    const named = role && (scrolls.ariaLabel || document.getElementById(scrolls.getAttribute('aria-labelledby'))?.innerText);
    const moved = scrolls.scrollWidth > scrolls.clientWidth;
    if (!moved || (style === 'auto' && scrolls.tabIndex === 0 && named)) return [];
    return [`${cell.innerText}: ${style} ${scrolls.tabIndex} ${named}`];
  }
  for (let above = cell; above; above = above.parentElement) {
    const edge = above.getBoundingClientRect().right;
    if (getComputedStyle(above).overflowX !== 'visible' && box.right > edge + 1) return [cell.innerText];
  }
  return box.right > document.documentElement.clientWidth + 1 || box.left < -1 ? [cell.innerText] : [];
})
"""
"""Cells of tables that nobody reaches on a narrow screen: cut, and in nothing that scrolls, takes the focus and has a name."""


MOVED = """
() => [...document.querySelectorAll('main *')].filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1
  && ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(e).overflowX)
  && !e.closest('.sr') && !['INPUT', 'SELECT'].includes(e.tagName))
  .map(e => `${e.tagName} ${e.className} ${e.scrollWidth}/${e.clientWidth}: ${e.innerText.slice(0, 60)}`)
"""
"""Parts of a page that are wider than their place: read only by moving them sideways, or not at all."""
PHONES, DESK = (360, 400), 1280


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en-US", "ja-JP"])
def test_nothing_is_moved_sideways(opened: Any, path: str, language: str) -> None:
    """Rows of wide tables are cards on a phone, and commands wrap: answer, quality and price stood beyond the right edge."""
    for width in (*PHONES, DESK):
        tab = opened(path, width=width, language=language)
        tab.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert tab.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert tab.page.evaluate(CUT_CELLS) == []
        assert tab.page.evaluate(MOVED) == [], width


def test_each_figure_of_a_card_says_what_it_is(opened: Any) -> None:
    """A row is a card without the head of its table: every cell but the number and the name says its own."""
    tab = opened("/plan?device=RTX+4090", width=400)
    tab.page.wait_for_selector(".cards td")
    heads = tab.page.evaluate(
        "[...document.querySelectorAll('.cards')[0].querySelectorAll('th')].map(h => h.textContent)"
    )
    row = "[...document.querySelectorAll('.cards')[0].querySelectorAll('tbody tr')[0].children]"
    said = tab.page.evaluate(row + ".map(c => [c.dataset.head ?? '#', getComputedStyle(c, '::before').content])")
    assert [name for name, _ in said] == heads
    assert [shown for _, shown in said][:2] == ["none", "none"]
    assert all(name in shown for name, shown in said[2:])


HIDDEN_LINKS = """[...document.querySelectorAll('.top a')].filter(a => {
  const box = a.getBoundingClientRect(), menu = a.parentElement.getBoundingClientRect();
  return box.width < 1 || box.left < 0 || box.right > Math.min(innerWidth, menu.right) + 1 || box.bottom > menu.bottom + 1;
}).map(a => a.textContent)"""
"""Links of the menu that are not on the screen before anything is scrolled."""


@pytest.mark.parametrize("path", PAGES)
def test_on_a_phone(opened: Any, path: str) -> None:
    for language in ("en-US", "ja-JP"):
        tab = opened(path, width=360, language=language)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.page.evaluate(HIDDEN_LINKS) == []
        assert [line for line in tab.said if "404" not in line] == []


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core (make browser)")
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(opened: Any, path: str) -> None:
    script = AXE.read_text("utf-8")
    for dark, width in ((False, 1280), (True, 360)):
        tab = opened(path, dark=dark, width=width)
        tab.page.evaluate(script)
        found = tab.page.evaluate("axe.run()")
        assert [(v["id"], v["impact"], [n["html"][:160] for n in v["nodes"]][:3]) for v in found["violations"]] == []
