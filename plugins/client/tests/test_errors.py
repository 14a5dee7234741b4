"""What a server refuses is the error that a swarm here would raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swarm_plugin_client import ServerRefused
from swarm_plugin_client.errors import refusal_of

from swarm_core import errors
from swarm_core.errors import SwarmError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CODES = sorted(
    kind.code
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, SwarmError)
    and not issubclass(kind, errors.FlowError | errors.PluginError)
)


@pytest.mark.parametrize("code", CODES)
def test_every_error_of_the_core_is_recognized_by_its_code(code):
    refused = refusal_of(422, {"code": code, "detail": "this is so", "hint": "do that"})

    kind = next(kind for kind in type(refused).__mro__ if kind.__module__ == errors.__name__ and kind.code == code)
    assert isinstance(refused, ServerRefused) and isinstance(refused, kind)
    assert (code, "this is so; do that") == (refused.code, str(refused))
    assert (code, "this is so", "do that") == tuple(refused.as_json()[name] for name in ("code", "message", "hint"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AccessDenied),
        (403, errors.AccessDenied),
        (404, errors.NotFound),
        (429, errors.StoreUnavailable),
        (503, errors.StoreUnavailable),
        (418, SwarmError),
    ],
)
def test_an_unknown_code_is_known_by_its_status(status, kind):
    refused = refusal_of(status, {"code": "of_the_future"})

    assert isinstance(refused, kind)
    assert "of_the_future" == refused.code


@given(
    status=st.integers(400, 599),
    body=VALUES
    | st.fixed_dictionaries({}, optional={"code": VALUES, "problems": VALUES, "detail": VALUES, "hint": VALUES}),
)
def test_no_answer_is_too_odd_to_be_told(status, body):
    refused = refusal_of(status, body)

    assert status == refused.status
    assert str(refused)
    assert refused.as_json()


def test_an_error_is_one_of_its_kind_each_time():
    assert type(refusal_of(404, {"code": "run_not_found"})) is type(refusal_of(404, {"code": "run_not_found"}))
