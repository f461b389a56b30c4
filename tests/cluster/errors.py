class Unavailable(Exception):
    """A provider has no cluster here; the message is one line that says why."""


class NoCluster(Exception):
    """No provider has one. `reasons` has a line for each that was asked, in order."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("no cluster to be had: " + "; ".join(reasons))
        self.reasons = reasons


class StartFailed(Exception):
    """A provider had what it needs, and its cluster did not come up: a fault, not a missing tool."""


class KubectlFailed(Exception):
    """The message has the command and what it wrote to stderr."""
