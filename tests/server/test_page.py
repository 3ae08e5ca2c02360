"""The page in a browser: what a customer does, by mouse, by keyboard, on a phone, in the dark."""

import os
import shutil

import pytest

from crane_pyg.server import create_app
from tests.server.conftest import listening

pytestmark = pytest.mark.browser

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SHOTS = os.environ.get("CRANE_PYG_SCREENSHOTS")  # a folder, to look at what the tests saw


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root, as in containers, needs the sandbox off; what is shown is this test's own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shop_address(shop_files):
    app = create_app(shop_files / "model", pictures=shop_files / "pictures")
    with listening(app) as address:
        yield address


@pytest.fixture
def visit(browser, shop_address):
    """Opens the shop; fails if the page complains or asks anybody else for anything."""
    contexts, complaints = [], []

    def open_page(width=1280, height=860, modalities=None, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" else None,
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((shop_address, "data:", "blob:"))
                else complaints.append(request.url)
            ),
        )
        if modalities is not None:
            answer = page.request.get(f"{shop_address}/health").json() | {"modalities": modalities}
            page.route("**/health", lambda route: route.fulfill(json=answer))
        page.goto(shop_address)
        page.wait_for_selector("#grid .card")
        return page

    open_page.complaints = complaints
    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def shoot(page, name):
    if SHOTS:
        page.wait_for_timeout(500)
        page.screenshot(path=os.path.join(SHOTS, f"{name}.png"))


def titles(page, where):
    return page.locator(f"{where} .card .title").all_text_contents()


def like(page, *names):
    for name in names:
        page.get_by_role("button", name=f"Like {name}", exact=True).first.click()
        page.wait_for_function(
            "name => document.getElementById('because').textContent.includes(name)", arg=name
        )


def wait_for_row(page, before):
    page.wait_for_function(
        "before => {const now = [...document.querySelectorAll('#row .card .title')]"
        ".map(each => each.textContent); return now.length && String(now) !== String(before)}",
        arg=before,
    )
    return titles(page, "#row")


def test_likes_are_answered_at_once(visit):
    page = visit()
    assert page.title() == "data"
    assert len(titles(page, "#grid")) == 24
    assert "this row answers" in page.locator("#row").inner_text()
    rows = [[]]
    for name in ("red thing 2", "red thing 6", "red thing 8"):
        like(page, name)
        rows.append(wait_for_row(page, rows[-1]))
        assert name not in rows[-1]
    assert {title.split()[0] for title in rows[-1][:5]} == {"red"}
    shoot(page, "light")
    page.get_by_role("button", name="Like red thing 2", exact=True).first.click()
    assert wait_for_row(page, rows[-1]) != rows[-1]
    page.reload()
    page.wait_for_selector("#row .card")  # what is liked is remembered
    assert "2 more" not in page.locator("#because").inner_text()
    assert "red thing 8" in page.locator("#because").inner_text()


def test_search_finds_and_says_how_many(visit):
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("blue THING")
    page.wait_for_function("() => document.querySelectorAll('#grid .card').length < 24")
    assert all(title.startswith("blue thing") for title in titles(page, "#grid"))
    page.wait_for_function("() => document.getElementById('told').textContent.endsWith('found')")
    page.fill("#search", "zebra")
    page.get_by_text("Nothing is called “zebra”.").wait_for()
    page.fill("#search", "")
    page.wait_for_function("() => document.querySelectorAll('#grid .card').length === 24")


def test_why_and_what_is_similar(visit):
    page = visit()
    like(page, "red thing 2", "red thing 6")
    wait_for_row(page, [])
    page.locator("#row .card .open").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Because of what you like:").wait_for()
    reasons = dialog.locator("#why-list li").all_inner_texts()
    assert reasons
    assert all("red thing 2" in reason or "red thing 6" in reason for reason in reasons)
    lists = []
    for way in ("by behaviour", "by look", "by words"):
        dialog.get_by_role("button", name=way).click()
        page.wait_for_function(
            "() => !document.getElementById('similar').classList.contains('busy')"
        )
        page.wait_for_selector("#similar .card")
        lists.append(titles(page, "#similar"))
    assert {title.split()[0] for title in lists[1][:5]} == {"red"}
    assert len({tuple(each) for each in lists}) > 1
    shoot(page, "thing")
    page.keyboard.press("Escape")
    assert not page.locator("#thing").is_visible()


def test_an_amount_is_told_by_the_way_it_came(visit):
    page = visit()
    like(page, "red thing 2")
    wait_for_row(page, [])
    mate = {"id": "thing/2 é", "title": "red thing 2", "picture": None}
    amounts = [
        ("image", 0.5),
        ("text", -0.4),
        ("behaviour", 0.085),
        ("together", 0.009),
        ("mood", -0.006),
    ]
    contributions = [{"item": mate, "edge": edge, "amount": amount} for edge, amount in amounts]
    page.route("**/explain", lambda route: route.fulfill(json={"contributions": contributions}))
    page.locator("#row .card .open").first.click()
    page.wait_for_selector("#why-list li")
    lines = [" ".join(each.split()) for each in page.locator("#why-list li").all_inner_texts()]
    assert [line.partition(" · ")[2] for line in lines] == [
        "by way of things that look alike 50%",
        "against it, by way of things that read alike \N{MINUS SIGN}40%",
        "by way of people who took such things 9%",
    ]
    shoot(page, "why")


def test_a_shop_without_pictures_asks_for_none(visit):
    page = visit(modalities=["text"])
    page.get_by_role("button", name="Try a new thing").click()
    page.get_by_text("by what it reads like").wait_for()
    assert not page.locator("#drop").is_visible()
    shoot(page, "trial-words")
    page.get_by_label("Title", exact=True).fill("zzz")
    page.click("#trial-send")
    page.get_by_text("none of these words occurs in this shop's titles").wait_for()
    assert visit.complaints.pop().startswith("Failed to load resource")  # status 422
    page = visit(modalities=["acoustic"])
    assert not page.locator("#try").is_visible()


def test_the_slider_reaches_from_behaviour_to_content(visit):
    page = visit()
    like(page, "red thing 2")
    alone = wait_for_row(page, [])
    like(page, "blue thing 5")
    before = wait_for_row(page, alone)
    page.locator("#weight").focus()
    page.keyboard.press("End")
    assert wait_for_row(page, before) != before
    page.keyboard.press("Home")
    page.wait_for_function(
        "before => String([...document.querySelectorAll('#row .card .title')]"
        ".map(each => each.textContent)) === String(before)",
        arg=before,
    )


def test_a_picture_is_dropped_in(visit, shop_files):
    page = visit()
    like(page, "red thing 2", "red thing 6")
    page.get_by_role("button", name="Try a new thing").click()
    page.click("#trial-send")
    page.get_by_text("What is it called?").wait_for()
    content = (shop_files / "pictures" / "4 #?.png").read_bytes()
    drop(page, "#drop", "lantern.png", "image/png", content)
    page.get_by_text("lantern.png").wait_for()
    page.get_by_label("Title", exact=True).fill("red lantern")
    page.get_by_label("More about it").fill("fire brick")
    shoot(page, "trial")
    page.click("#trial-send")
    page.wait_for_selector("#thing[open]")
    assert page.locator("#thing-title").inner_text() == "red lantern"
    assert "in your row" in page.locator("#thing-note").inner_text()
    page.get_by_role("button", name="by look").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('#similar .title')].slice(0, 4)"
        ".every(each => each.textContent.startsWith('red'))"
    )
    assert page.locator("#thing-frame img").evaluate("image => image.naturalWidth") == 16
    page.keyboard.press("Escape")
    page.fill("#search", "lantern")
    page.wait_for_function("() => document.querySelectorAll('#grid .card').length === 1")


def drop(page, where, name, media, content):
    """As if a file were dragged there from elsewhere."""
    transfer = page.evaluate_handle(
        "([name, type, bytes]) => {const transfer = new DataTransfer();"
        "transfer.items.add(new File([new Uint8Array(bytes)], name, {type})); return transfer}",
        [name, media, list(content)],
    )
    page.dispatch_event(where, "drop", {"dataTransfer": transfer})


def test_what_is_no_picture_is_told(visit):
    page = visit()
    page.get_by_role("button", name="Try a new thing").click()
    drop(page, "#drop", "note.txt", "text/plain", b"hello")
    page.get_by_text("That is no picture.").wait_for()


def test_everything_by_keyboard(visit):
    page = visit()
    page.locator("#grid .open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("l")
    liked = page.locator("#grid .like[aria-pressed='true']")
    assert liked.count() == 1
    focused = page.evaluate("document.activeElement.closest('.card').dataset.item")
    assert liked.locator("xpath=..").get_attribute("data-item") == focused
    page.keyboard.press("Enter")
    page.wait_for_selector("#thing[open]")
    assert page.evaluate("document.activeElement.id") == "thing-title"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('.card').dataset.item") == focused
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"


def test_everything_has_a_name(visit):
    """Buttons, fields and pictures say what they are to those who do not see them."""
    page = visit()
    like(page, "red thing 2")
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, textarea')].filter(each => !("
        "each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length))"
        ".map(each => each.outerHTML)"
    )
    assert nameless == []
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read(visit, scheme, width):
    page = visit(width=width, height=844, color_scheme=scheme, reduced_motion="reduce")
    like(page, "red thing 2", "red thing 6")
    wait_for_row(page, [])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for selector in ("#found", "#because", "#grid .title", "#mix span", "footer p", "#for-you"):
        assert contrast(page, selector) >= 4.5, selector
    shoot(page, f"{scheme}-{width}")
    page.locator("#row .open").first.click()
    page.wait_for_selector("#similar .card")
    assert page.evaluate("document.getElementById('thing').scrollWidth <= innerWidth")
    for selector in ("#thing-title", "#why-text", ".edge", "#by button", "#thing-like"):
        assert contrast(page, selector) >= 4.5, selector
    shoot(page, f"{scheme}-{width}-thing")
    small = page.evaluate(
        "[...document.querySelectorAll('#thing button')].filter(each => {"
        "const box = each.getBoundingClientRect(); return box.width < 24 || box.height < 24})"
        ".length"
    )
    assert small == 0


def contrast(page, selector):
    """Of a text with what it stands on, as WCAG 2 counts it."""
    one, other = page.locator(selector).first.evaluate(
        """node => {
          const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
          const rgb = (...layers) => {
            for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
          };
          const behind = [];
          for (let each = node; each; each = each.parentElement) {
            behind.unshift(getComputedStyle(each).backgroundColor);
          }
          return [rgb(...behind, getComputedStyle(node).color), rgb(...behind)];
        }"""
    )
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb):
    parts = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def test_the_theme_is_chosen_and_kept(visit):
    page = visit(color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    button = page.get_by_role("button", name="Colours")
    button.click()
    button.click()
    assert button.get_attribute("aria-label") == "Colours: dark"
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark
    button.click()
    assert page.evaluate(paper) == light


def test_a_shop_that_is_gone_is_told(visit, shop_address):
    page = visit()
    page.route("**/history", lambda route: route.fulfill(status=503, body="<html>"))
    page.get_by_role("button", name="Like red thing 2", exact=True).first.click()
    page.get_by_text("status 503").wait_for()
    assert visit.complaints.pop().startswith("Failed to load resource")
