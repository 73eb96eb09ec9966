"""The pages in a real browser: nothing that was sent runs, all is reached by keyboard, and can be read."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

pytest.importorskip("selenium")

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from asgi_sentry._scrubbing import FILTERED
from asgi_sentry.tools.sink import Outage
from tests.tools.browser import CHROMIUM, CONTRASTS, DRIVER, browsing, complaints, look
from tests.tools.sinks import newest, send, serving

pytestmark = [
    pytest.mark.service("chromium"),
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]

PLANTED = [
    "<script>window.planted = 1</script>",
    "<img src=x onerror='window.planted = 2'>",
    '"><svg onload=window.planted=3>',
    "' autofocus onfocus='window.planted=4' x='",
    "</title></textarea></pre></script><script>window.planted = 5</script>",
    "javascript:window.planted=6",
    '<iframe srcdoc="<script>parent.planted=7</script>"></iframe>',
    "<style>body{display:none}</style><link rel=stylesheet href=//evil.example.com/x.css>",
    "{{ cycler.__init__ }}{% raw %}${window.planted=8}",
    "<base href=//evil.example.com/><meta http-equiv=refresh content='0;url=//evil.example.com/'>",
    "\u202egnp.exe\u2066\ufeff\x00\x1b[31m",
]  # fmt: skip
PAGES = ("/", "/items", "/suspects", "/compare", "/backoff")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(autouse=True)
def desktop(browser):
    look(browser)
    yield
    browser.get_log("browser")


@pytest.fixture
def fresh(browser):
    """A sink of one's own; the browser leaves it before it stops, since its pages go on asking."""
    with serving() as server:
        yield server
        browser.get("about:blank")


def event(text: str, number: int = 0) -> dict:
    frame = {"filename": "shop.py", "function": f"pay {text}", "lineno": 3, "in_app": True, "pre_context": ["a", text],
             "context_line": f"    pay({text})", "post_context": [text],
             "vars": {"card": FILTERED, "note": text}}  # fmt: skip
    meta = {"exception": {"values": {"0": {"stacktrace": {"frames": {"0": {"vars": {
        "card": {"": {"rem": [["@creditcard", "x"]]}}}}}}}}}}  # fmt: skip
    return {
        "level": "error", "transaction": f"POST /pay {text}", "release": f"shop@{number} {text}",
        "user": {"id": f"u {text}"},
        "exception": {"values": [{"type": f"PayError {text}", "value": text,
                                  "stacktrace": {"frames": [frame]}}]},
        "breadcrumbs": {"values": [{"timestamp": 1, "category": text, "message": text, "data": {"x": text}}]},
        "request": {"url": f"http://h/{text}", "method": "POST", "headers": {"X-Note": text}, "query_string": text},
        "contexts": {"trace": {"trace_id": f"{number:032x}", "span_id": "a" * 16}, "more": {text: text}},
        "tags": {"t": text}, "extra": {text: text}, "_meta": meta,
    }  # fmt: skip


def transaction(text: str, number: int = 0) -> dict:
    spans = [{"op": "db", "description": text, "span_id": "b" * 16, "parent_span_id": "a" * 16, "start_timestamp": 1.1,
              "timestamp": 1.4}]  # fmt: skip
    return {**event(text, number), "exception": None, "spans": spans, "start_timestamp": 1, "timestamp": 2}


def fill(server, texts) -> None:
    for number, text in enumerate(texts):
        for sender in ("shop", "plain/shop"):
            attributes = {"a": {"value": text, "type": "string"}}
            send(server, ("event", event(text, number)), sender=sender)
            send(server, ("transaction", transaction(text, number)), sender=sender)
            send(
                server,
                ("log", {"items": [{"body": text, "level": text, "attributes": attributes}]}),
                ("trace_metric", {"items": [{"name": text, "value": 1, "attributes": attributes}]}),
                ("session", {"status": text, "did": text}),
                ("check_in", {"monitor_slug": text, "status": text}),
                ("client_report", {"discarded_events": [{"reason": text, "category": text, "quantity": 1}]}),
                ("attachment", text.encode()),
                ("replay_event", {"name": text}),
                sender=sender,
            )
    assert server.state.store.settle()
    while server.state.examiner.look():
        pass


@pytest.fixture(scope="module")
def filled():
    """A sink with ordinary traffic."""
    with serving(budgets={"error": 10}) as server:
        fill(server, ["an ordinary text", "voucher k9Xw2Lq8ZpT4vB7nR3mCx5Yd", f"mail {FILTERED}"])
        yield server


def ids(server) -> list[int]:
    return [row["id"] for row in server.state.store.ask("SELECT id FROM entries ORDER BY id")]


def paths_of(server) -> list[str]:
    """Each page, and an item of each kind."""
    rows = server.state.store.ask("SELECT min(id) AS id, trace FROM entries GROUP BY kind")
    plain = server.state.store.ask("SELECT min(id) AS id FROM entries WHERE sender LIKE 'plain/%'")
    trace = next(row["trace"] for row in rows if row["trace"])
    return [*PAGES, *(f"/items/{row['id']}" for row in rows), f"/traces/{quote(trace)}", f"/compare/{plain[0]['id']}"]


def open_page(browser, server, path: str) -> None:
    browser.get(server.url.rstrip("/") + path)


def wait(browser, until, seconds: float = 45):
    # What was found may be replaced by new items before it is read.
    return WebDriverWait(
        browser, seconds, poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException]
    ).until(until)


# -- strangers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_nothing_that_was_sent_runs(browser, number, fresh):
    fill(fresh, [PLANTED[number]])
    for path in [*PAGES, *(f"/items/{one}" for one in ids(fresh)), "/compare/1", f"/traces/{0:032x}"]:
        open_page(browser, fresh, path)
        state = browser.execute_script(
            "return [window.planted, document.scripts.length, document.querySelectorAll('iframe, base, img')"
            ".length,"
            " location.host, getComputedStyle(document.body).display]"
        )
        assert state == [None, 1, 0, f"127.0.0.1:{fresh.port}", "block"], path
        assert complaints(browser) == [], path


def test_the_policy_stops_what_would_get_past_the_escaping(browser, filled):
    """Should a page ever be at fault, the browser still runs nothing: markup is put into it by hand."""
    open_page(browser, filled, "/items")
    browser.execute_script(
        "window.broken = [];"
        "document.addEventListener('securitypolicyviolation', (e) => window.broken.push(e.effectiveDirective));"
        "document.querySelector('main').insertAdjacentHTML('beforeend',"
        " '<img src=\"http://127.0.0.1:1/x.png\" onerror=\"window.planted=1\"><p style=\"color:red\">x</p>"
        "<form action=\"http://127.0.0.1:1/\"></form>');"
        "const s = document.createElement('script'); s.textContent = 'window.planted=2'; document.body.append(s);"
    )  # fmt: skip
    broken = wait(
        browser,
        lambda b: len(b.execute_script("return window.broken")) >= 3 and b.execute_script("return window.broken"),
    )
    assert browser.execute_script("return window.planted") is None
    assert {"img-src", "script-src-elem", "style-src-attr"} <= set(broken)


# -- every page --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_can_be_read_and_fits(browser, filled, width, dark):
    look(browser, width=width, dark=dark)
    for path in paths_of(filled):
        open_page(browser, filled, path)
        assert browser.execute_script(CONTRASTS) == [], path
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path
        assert complaints(browser) == [], path


def test_an_empty_sink_says_what_to_do(browser, fresh):
    for path in PAGES:
        open_page(browser, fresh, path)
        assert browser.find_element(By.TAG_NAME, "h1").text
        assert complaints(browser) == []
    open_page(browser, fresh, "/")
    assert "Point an SDK at this sink" in browser.find_element(By.TAG_NAME, "main").text
    assert fresh.dsn in browser.find_element(By.TAG_NAME, "main").text


def test_every_page_has_one_name_and_what_can_be_pressed_has_one_too(browser, filled):
    for path in paths_of(filled):
        open_page(browser, filled, path)
        seen = browser.execute_script(
            "const named = (e) =>"
            " (e.getAttribute('aria-label') || e.textContent || e.labels?.[0]?.textContent || '').trim();"
            "const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
            "return {lang: document.documentElement.lang, h1: document.querySelectorAll('h1').length,"
            " main: document.querySelectorAll('main').length,"
            " twice: ids.filter((id, n) => ids.indexOf(id) !== n),"
            " nameless: [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary')]"
            "  .filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 80))}"
        )
        assert seen == {"lang": "en", "h1": 1, "main": 1, "twice": [], "nameless": []}, path


# -- the keyboard ------------------------------------------------------------------------------------------------------


def test_everything_is_reached_by_the_keyboard_and_seen_to_be(browser, filled):
    for path in ("/", "/items", f"/items/{newest(filled, 'error')}", "/suspects", "/backoff"):
        open_page(browser, filled, path)
        wanted = browser.execute_script(
            "return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary')]"
            ".filter((e) => e.checkVisibility()).length"
        )
        reached, body = set(), browser.find_element(By.TAG_NAME, "body")
        for _ in range(wanted + 60):
            body.send_keys(Keys.TAB) if not reached else browser.switch_to.active_element.send_keys(Keys.TAB)
            at = browser.execute_script(
                "const e = document.activeElement;"
                "window.all = window.all || [...document.querySelectorAll('*')];"
                "const s = getComputedStyle(e);"
                "return [window.all.indexOf(e), e.tagName, s.outlineStyle, parseFloat(s.outlineWidth)]"
            )
            if at[1] == "BODY":
                break
            assert at[2] != "none" and at[3] >= 1, (path, at)  # noqa: PT018  # one place
            reached.add(at[0])
        assert len(reached) >= wanted, path


def test_keys_move_along_the_list_and_into_the_search(browser, filled):
    open_page(browser, filled, "/items")
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys("j")
    first = browser.switch_to.active_element
    first.send_keys("j")
    second = browser.switch_to.active_element
    rows = browser.find_elements(By.CSS_SELECTOR, ".items a")
    assert [first, second] == rows[:2]
    second.send_keys("k")
    assert browser.switch_to.active_element == rows[0]
    rows[0].send_keys("/")
    search = browser.switch_to.active_element
    assert search.get_attribute("id") == "search"
    search.send_keys("jk/")
    assert search.get_attribute("value") == "jk/"
    search.send_keys(Keys.ESCAPE)
    assert browser.switch_to.active_element.tag_name == "body"
    browser.find_element(By.TAG_NAME, "body").send_keys("j")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait(browser, lambda b: "/items/" in b.current_url)


def test_the_first_stop_skips_to_the_content(browser, filled):
    open_page(browser, filled, "/")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to content"
    skip.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


# -- what the script does ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/items", "/items?kind=error", "/suspects"])
def test_what_arrives_shows_up_without_reloading(browser, path, fresh):
    fill(fresh, ["first"])
    open_page(browser, fresh, path)
    browser.execute_script("window.same = true")
    if path == "/suspects":
        send(fresh, ("event", {"extra": {"fresh_voucher": "k9Xw2Lq8ZpT4vB7nR3mCx5Yd"}}))
        expected = "fresh_voucher"
    else:
        send(fresh, ("event", event("second", 9)))
        expected = "POST /pay second"
    wait(browser, lambda b: expected in b.find_element(By.TAG_NAME, "main").text)
    assert browser.execute_script("return window.same") is True
    assert complaints(browser) == []


def test_what_somebody_types_or_holds_is_left_alone(browser, fresh):
    fill(fresh, ["first"])
    open_page(browser, fresh, "/items")
    # In one go: the page may put in new items between two.
    held = browser.execute_script("return document.querySelectorAll('.items a')[2].id")
    search = browser.find_element(By.ID, "search")
    search.send_keys("half a wo")
    browser.execute_script("document.getElementById(arguments[0]).focus()", held)
    send(fresh, ("event", event("second", 9)))
    wait(browser, lambda b: "PayError second" in b.find_element(By.ID, "list").text)
    assert browser.execute_script("return document.activeElement.id") == held
    assert search.get_attribute("value") == "half a wo"


def test_following_can_be_paused(browser, fresh):
    open_page(browser, fresh, "/items")
    button = browser.find_element(By.ID, "live")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    send(fresh, ("event", event("later", 9)))
    fresh.state.store.settle()
    before = time.monotonic()
    # Two rounds of asking would have passed; the clock is the page's own, counted by its timers.
    browser.execute_async_script("const done = arguments[0]; setTimeout(done, 2500)")
    assert time.monotonic() - before > 2
    assert "later" not in browser.find_element(By.TAG_NAME, "main").text
    button.click()
    wait(browser, lambda b: "later" in b.find_element(By.TAG_NAME, "main").text)


def test_a_line_of_configuration_is_copied_with_one_click(browser, filled):
    browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"origin": filled.url.rstrip("/"), "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    open_page(browser, filled, "/suspects")
    for button in browser.find_elements(By.CSS_SELECTOR, ".copy")[:3]:
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        wait(browser, lambda b: b.find_element(By.ID, "told").text == "Copied")
        pasted = browser.execute_async_script(
            "const done = arguments[0]; navigator.clipboard.readText().then(done, (e) => done(String(e)))"
        )
        assert pasted == button.get_attribute("data-copy")
        assert pasted.startswith("asgi_sentry.init(event_scrubber=Scrubber(")


def test_filters_work_by_hand(browser, filled):
    open_page(browser, filled, "/items?kind=error")
    browser.find_element(By.ID, "search").send_keys("voucher" + Keys.ENTER)
    wait(browser, lambda b: "q=voucher" in b.current_url)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".items li")) == 2
    browser.find_element(By.LINK_TEXT, "Clear").click()
    wait(browser, lambda b: "q=" not in b.current_url)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".items li")) == 6


def test_a_redaction_is_seen_with_its_rule(browser, filled):
    open_page(browser, filled, f"/items/{newest(filled, 'error')}")
    mark = browser.find_element(By.CSS_SELECTOR, ".frames .tree mark")
    rule = browser.find_element(By.CSS_SELECTOR, ".frames .tree .rule")
    assert (mark.text, rule.text) == (FILTERED, "@creditcard")
    assert "exception.values[0].stacktrace.frames[0].vars.card" in rule.get_attribute("title")
    assert mark.is_displayed()
    assert rule.is_displayed()


def test_a_comparison_shows_what_differs_and_on_demand_the_rest(browser, filled):
    number = filled.state.store.ask("SELECT max(id) FROM entries WHERE sender = 'plain/shop' AND kind = 'error'")[0][0]
    open_page(browser, filled, f"/compare/{number}")
    hidden = browser.find_elements(By.CSS_SELECTOR, ".sides .same")
    assert hidden
    assert not any(row.is_displayed() for row in hidden)
    browser.find_element(By.ID, "all").click()
    assert all(row.is_displayed() for row in hidden)


def test_an_outage_is_begun_and_ended_by_hand(browser, fresh):
    open_page(browser, fresh, "/backoff")
    browser.find_element(By.NAME, "times").send_keys("3")
    browser.find_element(By.XPATH, "//button[text()='Begin']").click()
    wait(browser, lambda b: fresh.state.outages.now is not None)
    assert fresh.state.outages.now == Outage(times=3)
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, ".notice"))
    browser.find_element(By.XPATH, "//button[text()='Answer as usual']").click()
    wait(browser, lambda b: fresh.state.outages.now is None)
    assert complaints(browser) == []


def test_pages_work_without_the_script(browser, filled):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, filled, "/items?kind=error&q=voucher")
        assert len(browser.find_elements(By.CSS_SELECTOR, ".items li")) == 2
        browser.find_element(By.CSS_SELECTOR, ".items a").click()
        wait(browser, lambda b: "/items/" in b.current_url)
        assert browser.find_element(By.CSS_SELECTOR, ".frames").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_page_of_a_strangers_can_not_read_or_change_anything(browser, filled, tmp_path):
    (tmp_path / "evil.html").write_text(
        "<script>Promise.all(['/items', '/version'].map((p) => fetch(" + json.dumps(filled.url.rstrip("/")) + " + p)"
        ".then((a) => a.text(), () => 'refused'))).then((all) => { window.seen = all; });</script>"
        f"<form method=post action='{filled.url}backoff'><input name=do value=begin><input name=status value=503>"
        "<button>x</button></form>"
    )
    browser.get(f"file://{tmp_path / 'evil.html'}")
    assert wait(browser, lambda b: b.execute_script("return window.seen")) == ["refused", "refused"]
    browser.find_element(By.TAG_NAME, "button").click()
    wait(browser, lambda b: "did not come from a page of this sink" in b.page_source)
    assert filled.state.outages.now is None


def test_the_pictures_of_the_readme_can_be_taken_anew(browser, filled, tmp_path):
    image = pytest.importorskip("PIL.Image")
    from tests.tools.screenshots import take

    for file in take(browser, filled, tmp_path):
        with image.open(file) as picture:
            assert picture.width in {1180, 390}
            assert len(picture.getcolors(1 << 24)) > 100  # something is on it
