"""What the codec's tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarm_core.errors import DocumentError
from swarm_core.model.problem import Problem


@pytest.fixture
def problems_of() -> Callable[..., list[Problem]]:
    """Return a function that calls something and returns the problems that it refuses its document for."""

    def call(read: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Problem]:
        with pytest.raises(DocumentError) as caught:
            read(*args, **kwargs)
        return list(caught.value.problems)

    return call
