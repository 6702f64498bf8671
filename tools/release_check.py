"""Build wheel and sdist, install each in an empty environment, and run the demo from it.

    python tools/release_check.py

The demo runs outside the source tree, so what the package lacks is missed. It must end with status
0, which it does only if everything that it shows held. Needs pip and, to build, hatchling.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IN_WHEEL = (
    "fpmatch/py.typed",
    "fpmatch/cli/demo_policy.toml",
    "fpmatch/minutiae/models/",
    "fpmatch/descriptor/data/",
    "fpmatch/index/data/",
)
SAMPLES = {"wheel": "fpmatch/data/synthetic/scenarios/", "sdist": "data/synthetic/scenarios/"}
README = ROOT / "README.md"
IN_SDIST = ("tests/", "training/", "benchmarks/", "tools/", "docs/", "CONTRIBUTING.md", "LICENSE")
NOT_IN_WHEEL = ("tests/", "training/", "benchmarks/", "tools/")


def run(*command: str, cwd: Path) -> str:
    """Run a command without this tree on its path; its output; ends the check if it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "FPMATCH_DATA")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise SystemExit(f"{' '.join(command[-4:])} failed:\n{tail}")
    return done.stdout


def built(folder: Path) -> tuple[Path, Path]:
    """Wheel and sdist, made with hatchling in an environment of its own."""
    home = folder / "build"
    run(sys.executable, "-m", "venv", str(home), cwd=folder)
    python = str(home / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "hatchling", cwd=folder)
    run(python, "-m", "hatchling", "build", "-d", str(folder / "dist"), cwd=ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


def contents(wheel: Path, sdist: Path) -> None:
    """What must, and must not, be in the two archives."""
    in_wheel = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as archive:
        in_sdist = [name.partition("/")[2] for name in archive.getnames()]
    for names, wanted in (
        (in_wheel, (*IN_WHEEL, SAMPLES["wheel"])),
        (in_sdist, (*IN_WHEEL, *IN_SDIST, SAMPLES["sdist"])),
    ):
        lacking = [w for w in wanted if not any(n.startswith(w) for n in names)]
        if lacking:
            raise SystemExit(f"missing from the archive: {', '.join(lacking)}")
    strays = [n for n in in_wheel if n.startswith(NOT_IN_WHEEL)]
    if strays:
        raise SystemExit(f"in the wheel by mistake: {', '.join(strays[:5])}")


def readme_commands() -> list[list[str]]:
    """What the README has a newcomer type after ``pip install``."""
    block = README.read_text("utf-8").split("pip install .", 1)[1].split("```")[0]
    lines = [line.partition("#")[0].split() for line in block.splitlines()]
    return [line[1:] for line in lines if line[:1] == ["fpmatch"]]


def readme_example() -> str:
    """The README's Python."""
    return README.read_text("utf-8").split("```python\n", 1)[1].split("```")[0]


def smoke(folder: Path, archive: Path) -> None:
    """Install one archive in an empty environment and run what a newcomer runs first."""
    home = folder / f"try-{archive.suffix.lstrip('.')}"
    run(sys.executable, "-m", "venv", str(home), cwd=folder)
    program = home / "bin"
    run(str(program / "python"), "-m", "pip", "install", "--quiet", str(archive), cwd=folder)
    run(str(program / "python"), "-m", "pip", "check", cwd=folder)
    gallery = str(home / "county.fpm")
    run(str(program / "fpmatch"), "demo", "--keep", gallery, cwd=folder)
    run(str(program / "fpmatch"), "audit", "verify", str(Path(gallery)), cwd=folder)
    run(str(program / "fpmatch"), "policy", "matrix", gallery, cwd=folder)
    for line in readme_commands():
        run(str(program / "fpmatch"), *line, cwd=folder)
    run(str(program / "python"), "-c", readme_example(), cwd=home)
    names = (
        "import fpmatch; [getattr(fpmatch, n) for n in fpmatch.__all__]; print(fpmatch.__file__)"
    )
    where = run(str(program / "python"), "-c", names, cwd=folder).strip()
    if not where.startswith(str(home)):
        raise SystemExit(f"the package came from {where}, not from the archive")
    print(f"{archive.name}: installs, does what the README shows, verifies its log")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fpmatch-release-") as name:
        folder = Path(name).resolve()
        wheel, sdist = built(folder)
        contents(wheel, sdist)
        for archive in (wheel, sdist):
            smoke(folder, archive)


if __name__ == "__main__":
    main()
