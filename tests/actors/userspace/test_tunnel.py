"""The userspace data plane between two namespaces, with keys made by hand and no IKE."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.namespaces import Gateway, direct

PROGRAM = "tests/actors/userspace/gateway.py"
ROOT = Path(__file__).parents[3]


@contextmanager
def plane(gateway: Gateway, version: int) -> Iterator[subprocess.Popen[str]]:
    """A data plane in the gateway's namespace."""
    argv = ["ip", "netns", "exec", gateway.namespace, sys.executable, PROGRAM]
    with subprocess.Popen(
        [*argv, gateway.label, str(version)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def finish(process: subprocess.Popen[str]) -> dict[str, object]:
    """End a plane in order and return its counters."""
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    return json.loads(output)


@pytest.mark.netns
@pytest.mark.parametrize("version", [4, 6])
def test_pings_of_both_families_pass_through_the_tunnel_both_ways(version: int) -> None:
    with direct() as net, plane(net.west, version) as west, plane(net.east, version) as east:
        for gateway, other in ((net.west, net.east), (net.east, net.west)):
            for inner in (4, 6):
                gateway.run("ping", "-c2", "-i0.2", "-W2", other.inner[inner])
        net.west.run("ping", "-c1", "-W2", "-s3000", "-I", "10.1.0.1", "10.2.0.1")
        rules = net.west.run("ip", "rule")
        counters = [finish(west), finish(east)]
        left_over = net.west.run("ip", "route", "show", "table", "all")

    assert "not from all fwmark 0x1ce lookup 220" in rules
    for counter in counters:
        assert counter["sealed"] == counter["opened"] == 11
        assert counter["drops"] == {}
    assert "ike0" not in left_over


@pytest.mark.netns
def test_what_no_policy_allows_does_not_enter_the_tunnel() -> None:
    with direct() as net, plane(net.west, 4) as west:
        net.west.run("ip", "addr", "add", "10.9.0.1/32", "dev", "lo")
        net.west.run("ping", "-c1", "-W1", "-I", "10.9.0.1", "10.2.0.1", check=False)
        counters = finish(west)

    assert counters == {"sealed": 0, "opened": 0, "drops": {"no-policy": 1}}
