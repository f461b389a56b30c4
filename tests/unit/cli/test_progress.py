import asyncio
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from execloop import Executor, Options, Task, Wait, task
from execloop.cli.display.lines import Lines
from execloop.cli.display.live import LiveProgress
from execloop.cli.display.progress import Node, Progress
from execloop.cli.display.terminal import printable
from execloop.testing import FakeClock, ScriptedPlan, converge


def _states(node: Node) -> list[str]:
    return [f"{child.name} {child.state} {child.note}".strip() for child in [*node.recent, *node.open.values()]]


def test_the_tree_is_that_of_the_run_at_hand() -> None:
    progress = Progress()
    seen: list[list[str]] = []

    def look() -> None:
        seen.append(_states(progress.root))

    plan = ScriptedPlan({"a": None, "b": OSError("down"), "c": look, "d": None}, {"b": look})
    converge(plan, listeners=[progress])
    assert seen == [["a done", "b failed perform: OSError", "c running"], ["b running"]]
    assert (progress.run, progress.tasks, progress.errors, progress.errors_left) == (2, 5, 1, 4)


def test_a_task_with_children_is_open_until_the_last_of_them_is_over() -> None:
    progress = Progress()
    seen: list[tuple[list[str], list[str]]] = []

    def look() -> None:
        (parent,) = progress.root.open.values()
        seen.append((_states(progress.root), _states(parent)))

    converge(ScriptedPlan({"parent": {"x": None, "y": look}, "next": None}), listeners=[progress])
    assert seen == [(["parent running"], ["x done", "y running"])]
    assert _states(progress.root) == ["parent done and 2 children", "next done"]
    assert progress.root.coming == 0


def test_what_is_to_come_is_known_by_number() -> None:
    progress = Progress()
    seen: list[int] = []
    converge(ScriptedPlan({"a": lambda: seen.append(progress.root.coming), "b": None, "c": None}), listeners=[progress])
    assert seen == [2]


@pytest.mark.parametrize("parallelism", [1, 8])
def test_it_stays_small_however_large_the_tree_is(parallelism: int) -> None:
    progress = Progress()
    most = 0

    def nodes(node: Node) -> int:
        return 1 + sum(nodes(child) for child in [*node.recent, *node.open.values()])

    def look() -> None:
        nonlocal most
        most = max(most, nodes(progress.root) + len(progress._parents))

    tree = {f"t{i}": {f"c{j}": look for j in range(20)} for i in range(50)}
    converge(ScriptedPlan(tree), listeners=[progress], parallelism=parallelism)
    assert most < 30 * parallelism
    assert progress._parents == {None: progress.root}


def test_a_chain_of_ten_thousand_children_is_followed() -> None:
    def deeper(depth: int) -> Callable[[], list[Task] | None]:
        return lambda: [task("next", deeper(depth - 1))] if depth else None

    progress = Progress()
    converge(ScriptedPlan({"first": deeper(10_000)}), listeners=[progress])
    assert progress.tasks == 10_001
    assert _states(progress.root) == ["first done and 1 child"]


def _console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=12, color_system=None)


def _drawn(live: LiveProgress) -> list[str]:
    console = _console()
    console.print(live._draw())
    written = console.file
    assert isinstance(written, io.StringIO)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_tree_is_drawn_as_a_tree() -> None:
    live = LiveProgress("mine", _console())
    drawn: list[list[str]] = []
    plan = ScriptedPlan({"a": OSError("x"), "b": {"c": None, "d": lambda: drawn.append(_drawn(live))}, "e": None})
    converge(plan, listeners=[live])
    assert [line[2:] for line in drawn[0][:1]] == ["mine  run 1 · 3 tasks done · 1 error (4 left) · 0:00"]
    assert drawn[0][1:] == [
        "├── ✗ a  perform: OSError",
        "├── ▸ b",
        "│   ├── ✓ c",
        "│   └── ▸ d",
        "└── 1 to come",
    ]


def test_no_more_is_drawn_than_the_terminal_has_lines_for() -> None:
    live = LiveProgress("mine", _console())
    drawn: list[list[str]] = []

    async def look() -> None:
        await asyncio.sleep(0)
        drawn.append(_drawn(live))

    class Wide:
        done = False

        def create(self) -> list[Task]:
            tasks = [] if self.done else [task(f"t{i}", look) for i in range(100)]
            self.done = True
            return tasks

    converge(Wide(), listeners=[live], parallelism=50)
    assert max(map(len, drawn)) <= 12


def test_a_name_cannot_steer_the_terminal() -> None:
    live = LiveProgress("mine\x1b[2J", _console())
    drawn: list[list[str]] = []
    converge(ScriptedPlan({"[red]a\x1b[2J\n": lambda: drawn.append(_drawn(live))}), listeners=[live])
    assert "mine\\x1b[2J" in drawn[0][0]
    assert drawn[0][1] == "└── ▸ [red]a\\x1b[2J"


def test_live_progress_leaves_a_line_for_each_error_and_no_tree() -> None:
    console = _console()
    with LiveProgress("mine", console) as live:
        converge(ScriptedPlan({"a": OSError("down")}), listeners=[live])
    assert isinstance(console.file, io.StringIO)
    assert "✗ a failed in perform: OSError: down (4 errors left)" in console.file.getvalue()


def test_lines_leave_out_what_a_log_has_no_use_for() -> None:
    lines: list[str] = []
    plan = ScriptedPlan({"a": OSError("one\ntwo\x07"), "b": ["c"]})
    Executor(Options(), listeners=[Lines(lines.append)], clock=FakeClock()).run(plan)
    assert lines == [
        "run 1: 2 tasks (a, b), 5 errors left",
        "a failed in perform: OSError: one\n  two\\x07 (4 errors left)",
        "b done, followed by 1 task",
        "b/c done",
        "run 1 finished; asking again in 1 s",
    ]


@pytest.mark.parametrize(
    ("text", "shown"), [("straße ✓", "straße ✓"), ("a\tb", "a\\tb"), ("a\nb", "a\n  b"), ("\x1b[0m", "\\x1b[0m")]
)
def test_what_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


# -- waits


def test_a_task_that_waits_is_shown_with_its_message_and_what_the_plan_waits_for_beside_the_tree() -> None:
    progress = Progress()
    seen: list[tuple[list[str], list[str]]] = []

    def look() -> None:
        seen.append((_states(progress.root), list(progress.waits)))

    script = {"a": Wait("the pods"), "b": lambda: [Wait("the node")], "c": look}
    converge(ScriptedPlan(script, {"d": look}), listeners=[progress])
    assert seen == [(["a waiting the pods", "b done", "c running"], ["the node"]), (["d running"], [])]
    assert progress.errors == 0


def test_a_wait_among_children_leaves_the_parent_open_for_the_others() -> None:
    progress = Progress()
    seen: list[list[str]] = []
    script = {"parent": lambda: [Wait("the node"), task("child", lambda: seen.append(_states(progress.root)))]}
    converge(ScriptedPlan(script), listeners=[progress])
    assert seen == [["parent running"]]
    assert _states(progress.root) == ["parent done and 1 child"]


def test_waits_are_drawn() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=20)
    drawn: list[str] = []
    live = LiveProgress("demo", console)

    def draw() -> None:
        with console.capture() as capture:
            console.print(live._draw())
        drawn.append(capture.get())

    script = {"a": Wait("the pods\nof web"), "b": lambda: [Wait("the node")], "c": draw}
    converge(ScriptedPlan(script), listeners=[live])
    assert "waiting: the node" in drawn[0]
    assert "the pods" in drawn[0]
