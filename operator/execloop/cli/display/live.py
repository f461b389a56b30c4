"""Live progress on a terminal: the tree of tasks, the run, the errors left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from execloop._engine.events import TaskFailed
from execloop.cli.display.progress import Node, Progress
from execloop.cli.display.terminal import printable
from execloop.listeners import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType

    from execloop._engine.events import Event

__all__ = ["LiveProgress"]

DEEPEST = 10
REFRESH_PER_SECOND = 8
_MARKS = {"running": ("▸ ", "cyan"), "done": ("✓ ", "green"), "failed": ("✗ ", "red"), "waiting": ("… ", "yellow")}


class LiveProgress:
    """A listener and a context manager. It leaves nothing behind but a line for each error."""

    def __init__(self, title: str, console: Console) -> None:
        self._progress = Progress()
        self._title = printable(title)
        self._console = console
        self._started = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            get_renderable=self._draw, console=console, refresh_per_second=REFRESH_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        self._progress(event)
        if isinstance(event, TaskFailed):
            self._console.print(Text("✗ ", style="red") + Text(printable(in_words(event))))

    def _draw(self) -> RenderableType:
        with self._progress.lock:
            self._spinner.update(text=self._header())
            tree = Tree(self._spinner, guide_style="dim")
            drawing = _Drawing(max(self._console.height - 3, 1))
            drawing.waits(tree, self._progress.waits)
            drawing.children(tree, self._progress.root, 1)
        return Group(tree)

    def _header(self) -> Text:
        progress, seconds = self._progress, int(time.monotonic() - self._started)
        parts = [f"run {progress.run}", f"{progress.tasks} tasks done", f"{seconds // 60}:{seconds % 60:02}"]
        if progress.errors:
            left = "" if progress.errors_left is None else f" ({max(progress.errors_left, 0)} left)"
            parts.insert(2, f"{progress.errors} error{'' if progress.errors == 1 else 's'}{left}")
        if progress.sleeping is not None:
            parts.append(f"asking again in {progress.sleeping:g} s")
        return Text.assemble((self._title, "bold"), "  ", (" · ".join(parts), "dim"))


class _Drawing:
    """So many lines, and no more."""

    def __init__(self, lines: int) -> None:
        self._left = lines

    def waits(self, tree: Tree, messages: Iterable[str]) -> None:
        for message in messages:
            self._line(tree, Text.assemble(_MARKS["waiting"], "waiting: ", printable(message)))

    def children(self, tree: Tree, node: Node, depth: int) -> None:
        if depth > DEEPEST:
            self._line(tree, Text("…", style="dim"))
            return
        hidden = node.settled - len(node.recent)
        if hidden:
            self._line(tree, Text(f"{hidden} more done", style="dim"))
        for settled in node.recent:
            self._line(tree, _label(settled))
        shown = 0
        for child in node.open.values():
            if self._left <= 0:
                break
            branch = self._line(tree, _label(child))
            shown += 1
            if branch is not None:
                self.children(branch, child, depth + 1)
        if coming := node.coming + len(node.open) - shown:
            self._line(tree, Text(f"{coming} to come", style="dim"))

    def _line(self, tree: Tree, label: Text) -> Tree | None:
        if self._left <= 0:
            return None
        self._left -= 1
        return tree.add(label)


def _label(node: Node) -> Text:
    mark, style = _MARKS[node.state]
    return Text.assemble((mark, style), printable(node.name), (f"  {printable(node.note)}" if node.note else "", "dim"))
