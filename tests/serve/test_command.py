"""`fewshot serve` as a command."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from conftest import Cli

from fewshot.serve.command import is_local, listening


def test_it_serves_until_it_is_interrupted(runs: Callable[[str], str]) -> None:
    words = [sys.executable, "-m", "fewshot", "serve", runs("ProtoNet"), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        try:
            address = process.stdout.readline().split()[0]
            assert address.startswith("http://127.0.0.1:")
            assert httpx.get(f"{address}/api/about", timeout=60).json()["run"] == "ProtoNet"
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(60) in (0, 130)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_a_port_that_is_taken_is_said(cli: Cli) -> None:
    with listening("127.0.0.1", 0) as taken:
        code, _, err = cli("serve", "--port", taken.getsockname()[1])
    assert code == 2
    assert "another program listens there" in err
    assert "choose another --port" in err
    assert cli("serve", "--port", 70_000)[0] == 2
    assert cli("serve", "--host", "203.0.113.1")[0] == 2


def test_without_its_packages_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = cli("serve")
    assert code == 1
    assert 'pip install "fewshot[serve]"' in err


def test_which_addresses_are_local() -> None:
    assert [is_local(host) for host in ("127.0.0.1", "localhost", "::1")] == [True] * 3
    assert [is_local(host) for host in ("0.0.0.0", "192.168.1.2", "name")] == [False] * 3
