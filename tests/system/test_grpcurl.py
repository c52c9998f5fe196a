"""What the README shows works when pasted: grpcurl finds the services by reflection and calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack import Stack

GRPCURL = Path(sys.executable).with_name("grpcurl")


def grpcurl(*arguments: str) -> str:
    return subprocess.run(
        [str(GRPCURL), "-plaintext", *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("service", ["customers", "loyalty", "credit", "notify"])
def test_reflection_lists_the_services_without_a_token(service: str, stack: Stack) -> None:
    assert f"langganan.{service}.v1." in grpcurl(stack.grpc[service], "list")


def test_a_call_needs_the_token_that_make_token_prints(stack: Stack) -> None:
    name = "langganan.customers.v1.CustomerService/Identify"
    asked = json.dumps({"phone": "+62 812-0000-0001", "origin": {"store_id": "S1"}})
    token = f"authorization: Bearer {stack.token()}"
    assert json.loads(grpcurl("-H", token, "-d", asked, stack.grpc["customers"], name)) == {}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        grpcurl("-d", asked, stack.grpc["customers"], name)
    assert "TOKEN_MISSING" in refused.value.stderr
