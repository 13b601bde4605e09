"""What is installed is what was tested: hashes of all of it, and an audit that says when it knows nothing."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-cuda.lock", "requirements-bare.lock")
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s\\;]+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")
CUDA = ("cuda", "nvidia", "triton")


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return {canonicalize_name(name): number for name, number, _ in PIN.findall(text)}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_with_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not [line for line in PIN.sub("", text).splitlines() if not line.startswith("#")]
    assert pins(lock)
    for name, _, hashes in PIN.findall(text):
        found = re.findall(r"sha256:(\S+)", hashes)
        assert len(set(found)) == len(found), name


def test_the_lock_has_all_that_its_packages_ask_for() -> None:
    """It is installed without looking at requirements."""
    locked = pins("requirements.lock")
    cuda = pins("requirements-cuda.lock")
    missing = []
    for name in locked:
        try:
            asked = [Requirement(each) for each in requires(name) or ()]
        except PackageNotFoundError:  # such as one that only other systems need
            continue
        for each in asked:
            own = canonicalize_name(each.name)
            if each.marker is not None and not each.marker.evaluate({"extra": ""}):
                continue
            number = locked.get(own) or cuda.get(own)
            if number is None or not each.specifier.contains(number, prereleases=True):
                missing.append(f"{name} asks for {each}, the lock has {number}")
    assert not missing


def test_what_is_installed_is_what_is_locked() -> None:
    """The tests run with these versions; a local part such as +cpu names a build of the same."""
    other = {}
    for lock in ("requirements.lock", "requirements-bare.lock"):
        for name, number in pins(lock).items():
            try:
                found = version(name).split("+")[0]
            except PackageNotFoundError:
                continue
            if found != number:
                other[name] = (found, number)
    assert not other


def test_what_a_gpu_needs_is_apart() -> None:
    assert all(name.startswith(CUDA) for name in pins("requirements-cuda.lock"))
    assert not [name for name in pins("requirements.lock") if name.startswith(CUDA)]


def test_the_setup_installs_nothing_without_a_hash() -> None:
    text = (ROOT / "scripts" / "setup").read_text()
    assert 'locked() { pip install --require-hashes --no-deps "$@"; }' in text
    plain = [
        line for line in text.splitlines() if re.search(r"\bpip install\b", line) and "locked()" not in line
    ]
    assert len(plain) == 1
    assert plain[0].endswith("--editable .")
    assert all(lock in text for lock in LOCKS)


def test_pip_refuses_a_file_of_another_hash(tmp_path: Path) -> None:
    wheel = tmp_path / "made-1.0-py3-none-any.whl"
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))
    (tmp_path / "lock").write_text(f"made==1.0 --hash=sha256:{'0' * 64}\n")
    words = ["install", "--dry-run", "--no-deps", "--require-hashes", "--no-index", "-f", str(tmp_path)]
    command = [sys.executable, "-m", "pip", *words, "-r", str(tmp_path / "lock")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


VULNERABLE = {"name": "b", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
FINE = {"name": "a", "version": "2.0", "vulns": []}
SKIPPED = {"name": "c", "skip_reason": "not found"}


def audit(tmp_path: Path, answer: object, said: str = "", code: int = 0) -> tuple[int, str, str]:
    """Runs the script with a stand-in for pip-audit, which gives an answer or says something."""
    tool, lock = tmp_path / "stand-in", tmp_path / "a.lock"
    lock.write_text("a==2.0\n")
    write = f"open(out, 'w').write({json.dumps(answer)!r})" if answer is not None else "pass"
    tool.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "assert '--require-hashes' in sys.argv and '--disable-pip' in sys.argv\n"
        "out = next(word for word in sys.argv if word.startswith('--output=')).removeprefix('--output=')\n"
        f"{write}\nprint({said!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    tool.chmod(0o755)
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "audit", lock],
        env=os.environ | {"PIP_AUDIT": str(tool)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_an_audit_that_finds_nothing(tmp_path: Path) -> None:
    code, out, err = audit(tmp_path, {"dependencies": [FINE, SKIPPED]})
    assert (code, err) == (0, "")
    assert out == "not looked at: c: not found\na.lock: 1 packages looked at, 0 with known vulnerabilities\n"


def test_an_audit_that_finds_something(tmp_path: Path) -> None:
    code, out, _ = audit(tmp_path, {"dependencies": [FINE, VULNERABLE]}, code=1)
    assert code == 1
    assert out == (
        "b 1.0: CVE-1, mended by 1.1\na.lock: 2 packages looked at, 1 with known vulnerabilities\n"
    )


@pytest.mark.parametrize("answer", [None, [], {"dependencies": 3}, {}])
def test_an_audit_that_reaches_no_database(answer: object, tmp_path: Path) -> None:
    code, out, err = audit(tmp_path, answer, "ConnectionError: pypi.org", code=1)
    assert (code, out) == (2, "")
    assert err == (
        "error: pip-audit did not come to an answer on a.lock: ConnectionError: pypi.org\n"
        "  got:    no answer: whether there are vulnerabilities is not known\n"
        "  do:     reach the network\n"
    )


def test_an_audit_that_looked_at_nothing(tmp_path: Path) -> None:
    code, _, err = audit(tmp_path, {"dependencies": [SKIPPED]})
    assert code == 2
    assert err.startswith("error: no package was looked at\n")


def test_an_audit_without_its_tool(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "audit"],
        env=os.environ | {"PIP_AUDIT": str(tmp_path / "none")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: pip-audit is not installed\n")
    assert done.stderr.endswith("  do:     python -m pip install pip-audit, or PIP_AUDIT=/path/to/it\n")
