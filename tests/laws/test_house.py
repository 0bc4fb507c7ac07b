"""The house rules of the source: each rule is a function from a tree to its breaches, and each is seen to find one."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_framework

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "fieldmark"

# Bottom to top: a part may import its own stratum (without a cycle) and those before it. Errors, targets and images
# of numbers know nothing above them; the pages and the command line know everything.
STRATA = (
    {"errors", "progress", "notebook", "targets", "attribution", "images"},
    {"figures"},
    {"classifier"},
    {"explainers"},
    {"doctor", "trust", "guide"},
    {"run", "callbacks"},
    {"report"},
    {"web", "demo"},
    {"cli"},
)
RANK = {part: rank for rank, parts in enumerate(STRATA) for part in parts}
FIGURES_MAY_IMPORT = {"attribution", "errors", "figures", "notebook"}
# Attribution.plot() draws itself: a method, so the import waits until somebody draws.
LATE = {("attribution", "figures")}
# The demo's network is a model like any other, and `demo:lite0` is a name that the loader knows.
LATE |= {("classifier", "demo")}
# clf.doctor() is a method for the reach of it; the examination knows the explainers, so it stands above them.
LATE |= {("classifier", "doctor")}
# guide.write_html() and its like: the page waits until somebody wants it.
LATE |= {("guide", "report"), ("trust", "report")}
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}
HEAVY = FRAMEWORKS | {"matplotlib", "scipy", "skimage", "jinja2", "typer"}
MAX_LINES = 300


def part_of(path: Path, source: Path) -> str:
    """The first name below the package: "errors" for errors.py, "cli" for cli/main.py, "" for the package itself."""
    first = path.relative_to(source).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(path: Path, source: Path) -> Iterator[tuple[str, bool, int]]:
    """Every module that a file imports: its dotted name, whether inside a function, and the line.

    Imports for type checkers alone (`if TYPE_CHECKING:`) are left out: they never run. `from a import b` gives a.b, and
    `import fieldmark` gives what is then taken from it.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ("fieldmark", *path.relative_to(source).parts[:-1])

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool, int]]:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.orelse:
                yield from walk(child, inside)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                taken = attributes(tree, alias.asname or alias.name) if alias.name == "fieldmark" else ()
                names = [f"fieldmark.{one}" for one in sorted(taken)] or [alias.name]
                yield from ((name, inside, node.lineno) for name in names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{stem}.{alias.name}", inside, node.lineno) for alias in node.names)
        deeper = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from walk(child, deeper)

    yield from walk(tree, False)


def attributes(tree: ast.AST, name: str) -> set[str]:
    """What is taken from the variable `name` by a dot: {"b"} for name.b.c."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def wrong_way(source: Path) -> list[str]:
    """Imports that point up, figures that know more than an attribution, parts nobody placed, and circles."""
    breaches: list[str] = []
    graph: dict[str, set[str]] = {}
    for path in sorted(source.rglob("*.py")):
        part = part_of(path, source)
        if not part or part == "__main__":
            continue
        if part not in RANK:
            breaches.append(f"{path.relative_to(source)}: part {part!r} has no place in STRATA")
            continue
        for name, inside, line in imports(path, source):
            names = name.split(".")
            if names[0] != "fieldmark":
                continue
            where = f"{path.relative_to(source)}:{line}"
            wanted = names[1] if len(names) > 1 else ""
            if wanted == "__version__":
                continue
            if wanted not in RANK:
                if RANK[part] < RANK["demo"]:
                    breaches.append(f"{where}: {part} imports the package's front, fieldmark.{wanted}")
            elif wanted == part or (inside and (part, wanted) in LATE):
                continue
            elif RANK[wanted] > RANK[part]:
                breaches.append(f"{where}: {part} imports {wanted}, which stands above it")
            elif part == "figures" and wanted not in FIGURES_MAY_IMPORT:
                breaches.append(f"{where}: figures imports {wanted}; it knows only the attribution")
            else:
                graph.setdefault(part, set()).add(wanted)
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        breaches.append(f"a circle of imports: {' -> '.join(error.args[1])}")
    return breaches


def backend_branches(source: Path, allowed: set[str]) -> list[str]:
    """Imports of one framework (rather than keras) in a file that is not one of the allowed few."""
    return [
        f"{path.relative_to(source)}:{line}: imports {name}"
        for path in sorted(source.rglob("*.py"))
        if path.relative_to(source).as_posix() not in allowed
        for name, _, line in imports(path, source)
        if name.split(".")[0] in FRAMEWORKS - {"keras"}
    ]


def too_long(source: Path) -> list[str]:
    """Files of more than MAX_LINES lines."""
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in sorted(source.rglob("*.py"))}
    return [f"{path.relative_to(source)}: {lines} lines" for path, lines in lengths.items() if lines > MAX_LINES]


# Spelled in pieces, so that this file doesn't find itself.
MACHINE = re.compile(
    r"(?<![\w.$~)])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me|t" + r"mp|us" + r"r/local|mn" + r"t)/"
    r"|ind" + r"ex-url|find" + r"-links|trusted" + r"-host|\bpypi\.or" + r"g|pythonhos" + r"ted|localhos" + r"t:\d"
)


def machine_names(files: list[Path], root: Path) -> list[str]:
    """Lines that name a path of one machine, a package host or a package index option."""
    found = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # pictures; files deleted but not yet committed
        found += [
            f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(lines, 1)
            if MACHINE.search(line)
        ]
    return found


def loaded_by(statement: str) -> set[str]:
    """The heavy modules that a fresh Python has loaded after a statement."""
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.split())


def tree(folder: Path, **files: str) -> Path:
    """A made-up package: errors="..." makes errors.py, classifier__engine="..." makes classifier/engine.py."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_imports_point_one_way() -> None:
    assert wrong_way(SOURCE) == []


@pytest.mark.parametrize(
    ("files", "breach"),
    [
        (
            {"targets": "from fieldmark.classifier import Classifier"},
            "targets imports classifier, which stands above it",
        ),
        ({"targets": "def f():\n    import fieldmark.classifier"}, "targets.py:2: targets imports classifier"),
        ({"classifier__engine": "from ..explainers import GradCAM"}, "classifier imports explainers"),
        ({"classifier__engine": "from fieldmark import explainers"}, "classifier imports explainers"),
        ({"explainers__cam": "import fieldmark as fm\nfm.GradCAM()"}, "explainers imports the package's front"),
        ({"explainers__cam": "from fieldmark import GradCAM"}, "explainers imports the package's front"),
        ({"figures__panels": "from fieldmark.targets import Top"}, "figures imports targets; it knows only"),
        ({"attribution": "from fieldmark.figures import panel"}, "attribution imports figures, which stands above it"),
        ({"trust": "import fieldmark.guide", "guide": "import fieldmark.trust"}, "a circle of imports"),
        ({"lenses": "import fieldmark.errors"}, "part 'lenses' has no place"),
    ],
)
def test_an_import_that_points_up_is_found(tmp_path: Path, files: dict[str, str], breach: str) -> None:
    breaches = wrong_way(tree(tmp_path, **files))
    assert len(breaches) == 1
    assert breach in breaches[0]


def test_imports_that_point_down_wait_or_never_run_are_no_breach(tmp_path: Path) -> None:
    good = tree(
        tmp_path,
        attribution="def plot():\n    from fieldmark.figures import panel",
        targets="if TYPE_CHECKING:\n    from fieldmark.classifier import Classifier",
        explainers__cam="from fieldmark.classifier import Classifier\nfrom .gradients import f\nimport numpy",
        explainers__gradients="from fieldmark import __version__",
        explainers__paths="import fieldmark\nprint(fieldmark.__version__)",
        cli__main="import fieldmark as fm",
    )
    assert wrong_way(good) == []


BACKEND_FILES = {"classifier/autodiff.py", "classifier/torch_subject.py"}


def test_one_framework_is_named_in_few_files() -> None:
    assert backend_branches(SOURCE, BACKEND_FILES) == []


def test_a_framework_outside_its_files_is_found(tmp_path: Path) -> None:
    bad = tree(
        tmp_path,
        explainers__cam="def f():\n    import jax.numpy as jnp\nimport keras",
        classifier__autodiff="import torch",
    )
    assert backend_branches(bad, BACKEND_FILES) == ["explainers/cam.py:2: imports jax.numpy"]


def test_files_are_short() -> None:
    assert too_long(SOURCE) == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    bad = tree(tmp_path, errors="x = 1\n" * MAX_LINES, targets="x = 1\n" * (MAX_LINES + 1))
    assert too_long(bad) == [f"targets.py: {MAX_LINES + 1} lines"]


def test_import_fieldmark_loads_nothing_heavy() -> None:
    assert loaded_by("import fieldmark") == set()


def test_no_module_that_users_import_chooses_a_backend() -> None:
    """A torch module selects its backend by itself, as long as nothing imported Keras before."""
    parts = ("attribution", "classifier", "explainers", "images", "targets", "figures", "cli", "demo")
    assert loaded_by(f"import {', '.join(f'fieldmark.{part}' for part in parts)}") & FRAMEWORKS == set()


def test_a_heavy_import_is_found() -> None:
    assert loaded_by("import matplotlib") == {"matplotlib"}


def test_the_repository_names_no_machine_and_no_package_host() -> None:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(files) > 10
    assert machine_names(files, ROOT) == []


@pytest.mark.parametrize("line", ["open('/t" + "mp/x.png')", "pip install --ind" + "ex-url x", "cd /wo" + "rk/main"])
def test_a_machine_path_or_package_host_is_found(tmp_path: Path, line: str) -> None:
    bad = tree(tmp_path, errors=f"x = 1\n# {line}\n")
    assert machine_names([bad / "errors.py"], tmp_path) == [f"errors.py:2: # {line}"]


def test_relative_links_and_home_folders_are_no_breach(tmp_path: Path) -> None:
    good = tree(tmp_path, errors="# see docs/work/plan.md, ~/work/x, ../shared/data and /usr/share/fonts\n")
    assert machine_names([good / "errors.py"], tmp_path) == []
