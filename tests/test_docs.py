"""The documents are true where a machine can tell: links, paths, commands and tests that they name exist."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.md")])
# Made at run time or by a person, so not in the tree.
NOT_COMMITTED = {".env", ".venv", ".tallystick", "secrets.env"}
FILE_NAME = re.compile(r"[\w.-]+\.(?:cfg|css|csv|html|in|js|json|lua|md|py|toml|txt|yaml|yml)|[A-Z]\w+file")
# In two parts, because this file is searched too.
FOREIGN = [
    "/wor" + "k/", "/roo" + "t/", "pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "jsdelivr" + ".net",
]  # fmt: skip

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def committed() -> tuple[str, ...]:
    """Every path that git has or would add."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(path for path in answer.stdout.split("\0") if path and (ROOT / path).is_file())


@cache
def file_names() -> frozenset[str]:
    return frozenset(Path(path).name for path in committed()) | NOT_COMMITTED


@cache
def first_parts() -> frozenset[str]:
    return frozenset(Path(path).parts[0] for path in committed() if "/" in path)


def prose(document: Path) -> str:
    return re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(document: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return target.exists() and (not anchor or anchor in anchors(target))


def code_spans(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(document))


def named_paths(document: Path) -> list[str]:
    """Code spans that are a path of this project, without the test that may follow one."""
    spans = (span.partition("::")[0] for span in code_spans(document))
    # NAME stands for any name.
    candidates = [span for span in spans if re.fullmatch(r"[\w./*-]+", span) and "NAME" not in span]
    return [
        span
        for span in candidates
        if ("/" in span and span.split("/")[0] in first_parts()) or FILE_NAME.fullmatch(span)
    ]


def is_there(path: str) -> bool:
    return path in file_names() or any(ROOT.glob(path.rstrip("/")))


def named_tests(document: Path) -> list[str]:
    return re.findall(r"\btests/[\w/]+\.py(?:::\w+)*", document.read_text("utf-8"))


def has_test(reference: str) -> bool:
    path, *names = reference.split("::")
    if not (ROOT / path).is_file():
        return False
    body: list[ast.stmt] = ast.parse((ROOT / path).read_text("utf-8")).body
    for name in names:
        found = [n for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == name]
        if not found:
            return False
        body = found[0].body
    return True


class TestDocuments:
    def test_are_the_ones_a_newcomer_looks_for(self) -> None:
        paths = {str(document.relative_to(ROOT)) for document in DOCUMENTS}

        assert paths >= {
            "README.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
            "docs/architecture.md",
            "docs/api.md",
        }

    @each_document
    def test_link_to_what_exists(self, document: Path) -> None:
        assert [link for link in links(document) if not leads_somewhere(document, link)] == []

    @each_document
    def test_name_paths_that_exist(self, document: Path) -> None:
        beside = {path.name for path in document.parent.iterdir()}

        assert [p for p in named_paths(document) if p not in beside and not is_there(p)] == []

    @each_document
    def test_name_commands_that_exist(self, document: Path) -> None:
        named = set(re.findall(r"manage\.py ([a-z_]+)", document.read_text("utf-8")))

        assert named - set(get_commands()) == set()

    @each_document
    def test_name_tests_that_exist(self, document: Path) -> None:
        assert [test for test in named_tests(document) if not has_test(test)] == []


class TestDecisions:
    records = sorted(path.name for path in (ROOT / "docs/adr").glob("*.md"))

    def test_are_numbered_without_gaps(self) -> None:
        assert [int(name[:4]) for name in self.records] == list(range(len(self.records)))

    @pytest.mark.parametrize("name", records)
    def test_say_status_context_decision_and_consequences(self, name: str) -> None:
        headings = re.findall(r"^## (.*)$", (ROOT / "docs/adr" / name).read_text("utf-8"), re.MULTILINE)

        assert headings == ["Status", "Context", "Decision", "Consequences"]


class TestTree:
    @pytest.mark.parametrize("needle", FOREIGN)
    def test_names_no_folder_of_a_machine_and_no_registry(self, needle: str) -> None:
        texts = {path: (ROOT / path).read_bytes() for path in committed()}

        assert [path for path, text in texts.items() if needle.encode() in text] == []
