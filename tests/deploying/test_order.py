"""What each computer is told: plain values from which the same deployment comes out."""

from __future__ import annotations

import pickle

import pytest

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.deploying.order import deployed, file_of, order_of
from gyakusan.errors import BadReference


def test_the_same_deployment_comes_out() -> None:
    asked = api.deployment("smollm2", load=Load(3, 2048), settings={"backend": "cpu", "ubatch": 128})
    order = pickle.loads(pickle.dumps(order_of(asked, "smollm2")))
    again = deployed(order)
    assert (again.load, again.settings, again.engine) == (asked.load, asked.settings, asked.engine)
    assert file_of(again, order).is_file()


def test_a_model_whose_files_are_elsewhere() -> None:
    asked = api.deployment("gpt-oss-120b", load=Load(1, 2048), settings={"backend": "cpu"})
    assert order_of(asked, "1").model == "gpt-oss-120b"
    with pytest.raises(BadReference, match="gyakusan get gpt-oss-120b"):
        file_of(asked, order_of(asked, "1"))
