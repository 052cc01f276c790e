"""The repository as a whole: links resolve, the table of topics fits the folders, and nothing of one machine stands in a file."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from libs.contracts import topics
from libs.contracts.topics import TOPICS, Topic
from tests.architecture import reconciliation_page, risk_rules_page, settings_page

ROOT = Path(__file__).parents[2]
README_LINES = 200
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Services that the table of topics knows and that are built by later issues: each leaves this list when its folder appears.
LATER: set[str] = set()
# Written in halves, so that this file does not contain what it forbids.
FORBIDDEN = [
    *(f"{name}.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))),
    *(f"{name}.{end}" for name, end in (("repo1.maven", "org"), ("maven.apache", "org"), ("proxy.golang", "org"))),
    *(f"/{folder}/" for folder in ("work", "root")),
    "/tmp/" + "brief",
    "/home/" + "user",
]
BINARY = {".gz", ".png", ".jpg", ".ico", ".zip", ".woff2", ".npz", ".bin"}


@cache
def tracked() -> tuple[Path, ...]:
    """Files as git knows them; outside a clone, every file that git would not ignore by our .gitignore's usual suspects."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = done.stdout.split("\0")[:-1]
    found = (ROOT / name for name in names) if done.returncode == 0 else ROOT.rglob("*")
    hidden = {".venv", ".tools", ".perpstream", ".git", "node_modules", "__pycache__"}
    return tuple(path for path in found if path.is_file() and not hidden & set(path.relative_to(ROOT).parts))


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ +(.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_resolves(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), f"{page.relative_to(ROOT)} points to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), f"{page.relative_to(ROOT)} points to {target}"


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= README_LINES
    assert "make demo" in text
    assert "make test" in text


def test_every_path_and_target_that_the_docs_name_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        text = page.read_text()
        for target in re.findall(r"`make ([a-z-]+)", text):
            assert target in targets, f"{page.relative_to(ROOT)} names `make {target}`"
        for path in re.findall(r"`((?:libs|services|tests|infra|docs|strategies)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{page.relative_to(ROOT)} names {path}"


def test_every_service_of_the_table_exists_or_is_announced() -> None:
    named = {service for topic in TOPICS for service in (*topic.producers, *topic.consumers)}
    built = {path.name for path in (ROOT / "services").iterdir() if (path / "__main__.py").is_file()}
    assert named - built == LATER
    assert not LATER & built


def _users(topic: Topic) -> set[str]:
    """The services whose code names the topic's constant; the sequencer takes its sources as a group."""
    (constant,) = (name for name, value in vars(topics).items() if value is topic)
    texts = {path: path.read_text() for path in (ROOT / "services").rglob("*.py")}
    # Another constant of the same name ("ORDER") is none of the table's.
    code = {
        path: text for path, text in texts.items() if re.search(r"^from libs\.contracts(\.topics)? import", text, re.M)
    }
    used = {path: text for path, text in code.items() if re.search(rf"\b{constant}\b", text)}
    # What is said of strategies, and answered, is read and said by one package for all who import it.
    if topic in (topics.STRATEGY_CONTROL, topics.STRATEGY_ANSWER):
        used |= {
            path: text
            for path, text in texts.items()
            if re.search(r"^ *from libs\.streaming\.strategies\b", text, re.M)
        }
    found = {path.relative_to(ROOT).parts[1] for path in used}
    return found | ({"sequencer"} if topic in topics.SEQUENCED else set())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_table_names_the_services_that_use_a_topic(topic: Topic) -> None:
    announced = set(topic.producers) <= LATER or set(topic.consumers) <= LATER
    named = {*topic.producers, *topic.consumers} - LATER
    assert announced or named == _users(topic)


def test_nothing_of_one_machine_or_registry_stands_in_a_file() -> None:
    found = []
    for path in tracked():
        if path.name == "uv.lock" or path.suffix in BINARY:
            continue
        text = path.read_text(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN if word in text]
    assert found == []


def test_decisions_are_numbered_listed_and_one_page_each() -> None:
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text()
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert len(records) >= 3
    for path in records:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)
        assert f"({path.name})" in listed, f"docs/decisions/README.md does not list {path.name}"
        assert len(path.read_text().splitlines()) <= 80
    assert len({path.name[:4] for path in records}) == len(records), "two records share a number"


def test_every_runtime_dependency_is_justified() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    page = (ROOT / "docs/decisions/0002-dependencies.md").read_text()
    named = {re.split(r"[\[<>=!~ ]", line)[0] for line in project["project"]["dependencies"]}
    named |= {re.split(r"[\[<>=!~ ]", line)[0] for line in project["dependency-groups"]["dev"]}
    assert (
        sorted(name for name in named if f"`{name}`" not in page and "types-" not in name and "stubs" not in name) == []
    )
    listed = set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE))
    assert listed <= named, "the page justifies what we no longer use"


def test_the_settings_page_is_current() -> None:
    assert settings_page.PAGE.read_text() == settings_page.settings_page(), "run `make docs`"


def test_the_page_of_risk_rules_is_current() -> None:
    assert risk_rules_page.PAGE.read_text() == risk_rules_page.risk_rules_page(), "run `make docs`"


def test_the_tables_of_the_page_on_trading_are_current() -> None:
    page = reconciliation_page.PAGE.read_text()
    assert page == reconciliation_page.with_tables(page), "run `make docs`"


def test_no_two_settings_share_a_variable_and_no_class_is_a_drawer() -> None:
    variables = [name for kind in settings_page.groups() for name in settings_page.own_fields(kind)]
    assert len(variables) == len(set(variables))
    assert all(len(settings_page.own_fields(kind)) <= 10 for kind in settings_page.groups())
