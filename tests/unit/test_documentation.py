"""Every code block of the documentation does what it says. What blocks mean is in tests/documentation.py."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from execloop.cli.group import COMMANDS, execloop
from tests.documentation import Block, blocks, program, run_console, run_python, same

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/**/README.md"))]
}
TESTS = [path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py"))]
LANGUAGES = {"", "text", "python", "pycon", "console", "sh", "yaml", "toml", "json", "dockerfile"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if blocks(text)])
def test_a_page_does_what_it_says(page: str, folder: Path) -> None:
    found = blocks(PAGES[page])
    for block in found:
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == "console" and not block.needs_a_cluster:
            for command, shown, printed in run_console(block, folder):
                assert same(shown, printed), f"{page}:{block.line}: $ {command}\n{printed}\n-- is shown as --\n{shown}"
    done = run_python(program(found), page, folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_can_be_read(page: str) -> None:
    for block in blocks(PAGES[page]):
        assert block.language in LANGUAGES, f"{page}:{block.line}"
        try:
            _read(block)
        except Exception as error:
            error.add_note(f"{page}:{block.line}")
            raise


@pytest.mark.parametrize("page", PAGES)
def test_every_block_that_needs_a_cluster_says_so(page: str) -> None:
    for block in blocks(PAGES[page]):
        if block.language in {"console", "sh"}:
            needed = re.search(r"^(\$ )?(kubectl|helm|flux|argocd|execloop operator)\b", block.text, re.MULTILINE)
            assert not needed or block.needs_a_cluster, f"{page}:{block.line} should begin with `# needs a cluster`"


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[page])
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def anchors(text: str) -> set[str]:
    """Those that GitHub gives the headings of a page. The site's own are checked in tests/release/test_site.py."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_anchor_that_a_page_links_to_exists_on_github_too(page: str) -> None:
    lost = []
    for link, anchor in re.findall(r"\]\(([^)#:\s]*\.md|)#([^)]+)\)", PAGES[page]):
        target = (ROOT / page).parent / link if link else ROOT / page
        if anchor not in anchors(target.read_text()):
            lost.append(f"{link}#{anchor}")
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`((?:controller|kube|cli|_engine|_plans|tests)/[\w/]+\.py)`", PAGES[page])
    assert [name for name in named if not any((ROOT / top / name).exists() for top in (".", "operator/execloop"))] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGES[page]))
    defined = {name for text in TESTS for name in re.findall(r"def (test_\w+)\(", text)} if named else set()
    assert named - defined == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_is_there(page: str) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shell = [block.text for block in blocks(PAGES[page]) if block.language in {"sh", "console"}]
    named = re.findall(r"`make ([a-z0-9-]+)", PAGES[page])
    named += re.findall(r"(?:^\$ |^|\$\()make ([a-z0-9-]+)(?![/\w])", "\n".join(shell), re.MULTILINE)
    assert [name for name in named if name not in targets] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_line(command: str) -> None:
    assert f"| `execloop {command}" in PAGES["docs/command.md"]


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("done in 0.1 s\n", "done in 12.7 s", True),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a\n…\nd", "a\nd", True),
        ("a … c", "a b c", True),
        ("a … c", "a b\nc", False),
        ("a", "b", False),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
    ],
)
def test_what_is_shown_is_compared_with_what_was_printed(shown: str, printed: str, expected: bool) -> None:
    assert same(shown, printed) is expected


def _read(block: Block) -> None:
    match block.language:
        case "python":
            compile(block.text, "block", "exec")
        case "console":
            _check_shell("\n".join(command for command, _ in block.commands))
        case "sh":
            _check_shell(block.text)
        case "yaml":
            _check_yaml(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "json":
            json.loads(block.text)


def _check_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _check_yaml(text: str) -> None:
    documents = list(yaml.safe_load_all(text))
    if any(isinstance(document, dict) and document.get("kind") == "Plan" for document in documents):
        result = CliRunner().invoke(execloop, ["validate", "--schema-only", "-"], input=text)
        assert result.exit_code == 0, result.output
