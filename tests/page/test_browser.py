"""The page in a real Chromium: what axe finds, what the console says, how it lives, and what the keyboard does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from execloop import Execution, task
from execloop._engine.events import RunStarted, TaskFailed, TaskFinished, TaskPath, TaskStarted, TaskWaiting
from execloop._engine.execution import Again
from execloop.controller.plancode.redaction.redactor import Redactor
from tests.page.conftest import Served, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

    from execloop._engine.events import Event
    from execloop.page.runs.recent import Recent

AXE = Path(__file__).with_name("axe.min.js").read_text()
SERIOUS = """
const done = arguments[arguments.length - 1];
axe.run().then(found => done(found.violations.filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => [one.id, ...one.nodes.map(node => node.target.join(" "))])));
"""
_TIME = "2026-01-01T00:00:00Z"
PLACES = [
    "/",
    "/graph",
    *(f"/plans/shop/keys{tab}" for tab in ("", "/objects", "/graph", "/history", "/events", "/yaml")),
]


def condition(kind: str, reason: str, status: str = "True") -> dict[str, str]:
    message = f"{reason}: <b>look</b>; then run `execloop reconcile`"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": _TIME}


def fill(site: Served) -> None:
    """A Plan with all that a page can show, one for each state, and some that depend on each other."""
    ended = {"startedAt": _TIME, "finishedAt": _TIME, "generation": 1, "result": "Converged", "message": "done"}
    status = {
        "state": "NeedsApproval",
        "errors": "2/5",
        "progress": "1/3",
        "conditions": [condition("Ready", "ApprovalRequired", "Unknown"), condition("Reconciling", "ApprovalRequired")],
        "execution": {"id": "e1", "runs": 5, "failedRuns": 2, "errors": 2, "startedAt": _TIME, "lastError": "full"},
        "pending": {
            "digest": "d1",
            "count": 3,
            "tasks": ["revoke", "issue"],
            "details": [{"name": "revoke", "detail": "k"}],
        },
        "history": [{"id": "h1", **ended}, {"id": "h2", **ended, "result": "ErrorsExceeded", "errors": 6}],
        "inventory": [{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "web"}],
    }
    made = site.do(site.cluster.put, "shop", "keys", status=status, approval="Manual", dependsOn=[{"name": "stalled"}])
    follow(site.recent, made["metadata"]["uid"])
    for state in ("Stalled", "Retrying", "Waiting", "TearingDown", "Running", "Suspended", "Previewed", "Converged"):
        site.do(
            site.cluster.put, "shop", state.lower(), status={"state": state, "conditions": [condition("Ready", state)]}
        )


def follow(recent: Recent, uid: str) -> Callable[[Event], None]:
    """An execution with every state of a task: one run is over, and another under way. Return what takes its events."""
    first, nested = TaskPath(None, 0, task("issue", int)), task("write <b>key</b> to the namespace of each tenant", int)
    over = recent.listener(uid, "e1", Redactor())
    over(RunStarted(Execution(), ("issue", "publish", "wait for it", "slow", "last"), 5))
    over(TaskStarted(first))
    over(TaskFinished(first, 1))
    over(TaskStarted(TaskPath(first, 0, nested)))
    over(TaskFinished(TaskPath(first, 0, nested), 0))
    for position, name in enumerate(("publish", "wait for it", "slow"), 1):
        over(TaskStarted(TaskPath(None, position, task(name, int))))
    refused = ConnectionError("vault: connection refused " * 20)
    over(TaskFailed(TaskPath(None, 1, task("publish", int)), "perform", refused, 4))
    over(TaskWaiting(TaskPath(None, 2, task("wait for it", int)), "the rollout of web", None))
    recent.ended(uid, "e1", Redactor(), Again(Execution(runs=1), 1.0, 1))
    live = recent.listener(uid, "e1", Redactor())
    live(RunStarted(Execution(runs=1), ("publish", "last"), 4))
    live(TaskStarted(TaskPath(None, 0, task("publish", int))))
    return live


def wait(browser: Chrome, selector: str, text: str = "") -> WebElement:
    """The first such element that is shown and has the text."""

    def found(_browser: Chrome) -> Any:
        script = """
        return [...document.querySelectorAll(arguments[0])].find(one => one.textContent.includes(arguments[1])) ?? null
        """
        return browser.execute_script(script, selector, text)

    element: WebElement = WebDriverWait(browser, 30).until(found)
    return element


def console(browser: Chrome) -> list[Any]:
    return [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"]
)
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing_serious_and_the_console_is_silent(
    browser: Chrome, site: Served, place: str, dark: bool, phone: bool
) -> None:
    fill(site)
    look(browser, dark=dark, phone=phone)
    console(browser)
    browser.get(site.address + place)
    wait(browser, "#live-mark", "live")
    assert console(browser) == []  # nor does the content security policy stop anything
    browser.execute_script(AXE)
    assert browser.execute_async_script(SERIOUS) == []
    wide = browser.execute_script("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide


def test_a_change_is_seen_without_a_reload_and_what_one_has_opened_stays_open(browser: Chrome, site: Served) -> None:
    fill(site)
    browser.get(f"{site.address}/plans/shop/keys")
    wait(browser, "#live-mark", "live")
    wait(browser, "summary", "Suspend").click()
    browser.find_element(By.NAME, "reason").send_keys("the database moves")
    site.do(site.cluster.state, "shop", "keys", state="Stalled")
    wait(browser, ".title .state", "Stalled")
    assert browser.find_element(By.NAME, "reason").get_property("value") == "the database moves"
    assert browser.find_element(By.NAME, "reason").is_displayed()


def test_a_task_that_ends_is_seen_without_a_reload_and_an_older_run_that_one_has_opened_stays_open(
    browser: Chrome, site: Served
) -> None:
    made = site.do(site.cluster.put, "shop", "live", status={"state": "Running", "execution": {"id": "e1", "runs": 1}})
    live = follow(site.recent, made["metadata"]["uid"])
    browser.get(f"{site.address}/plans/shop/live")
    wait(browser, "#live-mark", "live")
    wait(browser, ".tree [data-step=running]", "publish")
    wait(browser, "summary", "Run 1").click()
    live(TaskFinished(TaskPath(None, 0, task("publish", int)), 0))
    wait(browser, ".tree [data-step=done]", "publish")
    assert wait(browser, ".tree [data-step=cancelled]", "slow").is_displayed()
    site.do(setattr, site, "holder", "execloop-1_f3")
    site.do(site.cluster.state, "shop", "live", state="Retrying")
    wait(browser, "code", "kubectl port-forward pod/execloop-1")


def test_a_search_narrows_the_list_while_one_types_and_its_address_can_be_shared(browser: Chrome, site: Served) -> None:
    fill(site)
    browser.get(site.address)
    wait(browser, ".c-name", "keys")
    box = browser.find_element(By.ID, "q")
    box.send_keys("retry")
    WebDriverWait(browser, 30).until(lambda _: len(browser.find_elements(By.CSS_SELECTOR, ".c-name")) == 1)
    assert browser.switch_to.active_element == box
    WebDriverWait(browser, 30).until(lambda _: "q=retry" in browser.current_url)
    browser.refresh()
    assert [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".c-name")] == ["shop/retrying"]
    wait(browser, "#live-mark", "live")
    site.do(site.cluster.put, "shop", "retry-too", status={"state": "Running"})
    wait(browser, ".c-name", "retry-too")


def test_the_keyboard_searches_moves_opens_and_returns(browser: Chrome, site: Served) -> None:
    fill(site)
    browser.get(site.address)
    wait(browser, ".c-name", "keys")

    def press(key: str) -> None:
        browser.switch_to.active_element.send_keys(key)

    press("/")
    assert browser.switch_to.active_element.get_attribute("id") == "q"
    press(Keys.ESCAPE)
    press("j")
    press("j")
    assert "/plans/shop/keys" in str(browser.switch_to.active_element.get_attribute("href"))
    press("k")
    press(Keys.ENTER)
    wait(browser, "h1", "stalled")
    press("u")
    wait(browser, ".c-name", "keys")
    press("?")
    assert browser.find_element(By.ID, "keys").is_displayed()


@pytest.mark.parametrize("shared", [True, False])
def test_a_cut_connection_is_said_and_another_replica_shows_what_was_missed(
    browser: Chrome, site: Served, key: Path, shared: bool
) -> None:
    fill(site)
    browser.get(site.address)
    wait(browser, "#live-mark", "live")
    site.cut()
    wait(browser, "#live-mark", "reconnecting")
    site.do(site.cluster.put, "shop", "meanwhile", status={"state": "Stalled"})
    site.start(key if shared else None)
    if shared:
        wait(browser, ".c-name", "meanwhile")
        wait(browser, "#live-mark", "live")
    else:  # its cookie is of no use there
        wait(browser, "h1", "Sign in")


def test_an_approval_through_the_page_is_the_persons(browser: Chrome, site: Served) -> None:
    fill(site)
    browser.get(f"{site.address}/plans/shop/keys")
    wait(browser, "#live-mark", "live")
    wait(browser, "button", "Approve these tasks").click()
    WebDriverWait(browser, 30).until(lambda _: site.cluster.wrote)
    ((who, _, body),) = site.cluster.wrote
    assert who == "ann"
    assert body["metadata"]["annotations"]["execloop.dev/approve"] == "d1"


def test_five_thousand_plans_are_a_page_of_fifty_with_all_counts(browser: Chrome, site: Served) -> None:
    for number in range(5000):
        state = "Stalled" if number % 100 == 0 else "Converged"
        site.do(site.cluster.put, f"team-{number % 20}", f"p{number:04}", status={"state": state})
    browser.get(site.address)
    wait(browser, ".chips a", "All 5000")
    wait(browser, ".chips a", "Stalled 50")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".c-name")) == 50
    wait(browser, "a[rel=next]", "Next").click()
    wait(browser, ".pager", "51–100 of 5000")  # noqa: RUF001 - as the page writes it


@pytest.mark.parametrize("place", ["/", "/plans/shop/keys", "/plans/shop/keys/history", "/graph"])
def test_it_reads_without_scripts(browser: Chrome, site: Served, place: str) -> None:
    fill(site)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(site.address + place)
        assert "keys" in browser.find_element(By.TAG_NAME, "main").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
