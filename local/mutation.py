"""Changes the models of credit, a bit at a time, and looks whether their tests notice: `make mutate`.

mutmut works on a copy in .mutate/ that has the package, the tests of its models, and nothing that needs a
database: a change is judged in a fraction of a second. What it found is in docs/mutation.md.
"""

import ast
import json
import shutil
import subprocess
import sys

from local.settings import ROOT

PLACE = ROOT / ".mutate"
PACKAGE = ROOT / "services/credit/credit"
TESTS = ROOT / "tests/credit"
MODELS = [f"credit/{room}/model.py" for room in ("accounts", "holds", "invoices", "payments")]
# Hypothesis tries the same examples each time, so that the score can be had again.
CONFIG = """
[mutmut]
source_paths = credit/
only_mutate = {models}
pytest_add_cli_args_test_selection = tests/credit
pytest_add_cli_args = --hypothesis-profile=ci

[tool:pytest]
addopts = --import-mode=importlib -p no:asyncio -p no:cacheprovider
pythonpath = .
"""


def main() -> int:
    """Print the score and each change that no test noticed; 1 when there is one."""
    stage()
    run = subprocess.run([*_mutmut(), "run"], cwd=PLACE, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        print(run.stdout.rpartition("Running stats")[2])
        return run.returncode
    return report()


def stage() -> None:
    """Make the copy that is changed."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(PACKAGE, PLACE / "credit", ignore=shutil.ignore_patterns("__pycache__"))
    for model in MODELS:
        file = PLACE / model
        file.write_text(undecorated(file.read_text()))
    tests = PLACE / "tests/credit"
    tests.mkdir(parents=True)
    for test in (TESTS / "models.py", *TESTS.glob("test_credit_*_model.py")):
        shutil.copy(test, tests)
    (PLACE / "setup.cfg").write_text(CONFIG.format(models="\n    ".join(["", *MODELS])))


def undecorated(source: str) -> str:
    """The same module with each property made by a call, for mutmut leaves decorated functions alone."""
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: node.lineno, reverse=True):
        if [ast.unparse(decorator) for decorator in function.decorator_list] != ["property"]:
            continue
        assert function.end_lineno is not None
        indent = " " * function.col_offset
        lines.insert(function.end_lineno, f"{indent}{function.name} = property(_{function.name})")
        first = function.lineno - 1
        lines[first] = lines[first].replace(f"def {function.name}(", f"def _{function.name}(")
        del lines[first - 1]
    return "\n".join(lines) + "\n"


def report() -> int:
    """Say how many changes were noticed and show those that were not."""
    subprocess.run([*_mutmut(), "export-cicd-stats"], cwd=PLACE, stdout=subprocess.DEVNULL, check=True)
    stats = json.loads((PLACE / "mutants/mutmut-cicd-stats.json").read_text())
    noticed, total = stats["killed"] + stats["timeout"], stats["total"]
    print(f"{noticed} of {total} changes noticed ({noticed / total:.1%})")
    listed = subprocess.run(
        [*_mutmut(), "results"], cwd=PLACE, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    for line in listed.splitlines():
        name, _, fate = line.strip().partition(": ")
        print(f"\n{name}: {fate}")
        shown = [*_mutmut(), "show", name]
        diff = subprocess.run(shown, cwd=PLACE, stdout=subprocess.PIPE, text=True, check=True).stdout
        print(
            "\n".join(
                line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
            )
        )
    return 0 if noticed == total else 1


def _mutmut() -> list[str]:
    return [sys.executable, "-m", "mutmut"]


if __name__ == "__main__":
    sys.exit(main())
