"""The curves of a soak, as a picture that needs no script and follows the reader's light or dark."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.soak import Sample

_LEFT, _WIDTH, _TOP, _PANEL, _GAP = 60, 640, 60, 90, 40
_STYLE = (
    "<style>text{font:12px sans-serif;fill:#333}.h{font-size:15px;font-weight:600}.a{fill:#777}.g{stroke:#8884}"
    ".w{fill:#8882}polyline{fill:none;stroke:#2a78d6;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.a{fill:#999}polyline{stroke:#6aa9f0}}</style>"
)


def as_svg(samples: "Sequence[Sample]", warm: float) -> str:
    """`warm`: the age at which the warm-up is over."""
    last = samples[-1].age
    panels = [
        ("threads", [float(sample.threads) for sample in samples]),
        ("descriptors", [float(sample.descriptors) for sample in samples]),
        ("memory, MiB", [sample.resident_mib for sample in samples]),
    ]
    height = _TOP + len(panels) * (_PANEL + _GAP)

    def x(age: float) -> float:
        return _LEFT + age / last * _WIDTH

    drawn = "".join(
        _panel(name, [(x(s.age), value) for s, value in zip(samples, values, strict=True)], _TOP + i * (_PANEL + _GAP))
        for i, (name, values) in enumerate(panels)
    )
    shade = f'<rect class="w" x="{_LEFT}" y="{_TOP}" width="{x(warm) - _LEFT:.0f}" height="{height - _TOP - _GAP}"/>'
    minutes = "".join(_minute(minute, x(60 * minute), height) for minute in range(0, int(last // 60) + 1, _step(last)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 40} {height}" role="img">'
        f"<title>Threads, descriptors and memory of the operator</title>{_STYLE}"
        f'<text class="h" x="12" y="24">1,000 Plans that fail, drift and are edited</text>'
        f'<text class="a" x="12" y="42">the operator\'s process, by minutes; grey: the warm-up</text>'
        f"{shade}{minutes}{drawn}</svg>\n"
    )


def _step(seconds: float) -> int:
    return 10 if seconds > 1800 else 1


def _minute(minute: int, x: float, height: int) -> str:
    return f'<text class="a" x="{x:.0f}" y="{height - 12}" text-anchor="middle">{minute}</text>'


def _panel(name: str, points: list[tuple[float, float]], top: int) -> str:
    most = max(value for _, value in points) * 1.1 or 1.0

    def y(value: float) -> float:
        return top + _PANEL - value / most * _PANEL

    line = " ".join(f"{px:.1f},{y(value):.1f}" for px, value in points)
    return (
        f'<line class="g" x1="{_LEFT}" y1="{top + _PANEL}" x2="{_LEFT + _WIDTH}" y2="{top + _PANEL}"/>'
        f'<text x="{_LEFT}" y="{top - 6}">{name}: {points[-1][1]:.0f} at the end</text>'
        f'<text class="a" x="{_LEFT - 8}" y="{y(max(v for _, v in points)) + 4:.0f}" text-anchor="end">'
        f"{max(v for _, v in points):.0f}</text>"
        f'<text class="a" x="{_LEFT - 8}" y="{top + _PANEL + 4}" text-anchor="end">0</text>'
        f'<polyline points="{line}"/>'
    )
