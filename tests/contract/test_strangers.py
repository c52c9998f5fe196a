"""No method is forgotten when strangers are tried: tests/system/test_access.py tries what is listed here."""

import pytest
from protovalidate import Validator

from tests.system.methods import METHODS
from tests.system.shops import Names
from tests.system.strangers import REQUESTS


def test_every_method_has_a_request_with_which_a_stranger_is_tried() -> None:
    assert set(REQUESTS) == set(METHODS), "give each method a request in tests/system/strangers.py"


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_the_requests_of_strangers_keep_the_rules_of_the_contract(name: str) -> None:
    request = METHODS[name].request(REQUESTS[name](Names.invented()))
    assert [v.proto.message for v in Validator().collect_violations(request)] == []
