"""Facts of columns.json that are read as far as they are asked for say what the whole file says."""

import json

import msgspec
import pytest

from gyakusan.doors.files import packaged
from gyakusan.planning.candidates import stored_facts
from gyakusan.planning.candidates.model_table import FILE


def test_every_part_of_every_model_is_what_the_file_says() -> None:
    whole = json.loads(packaged(FILE))
    models, scores = stored_facts.read(packaged(FILE))
    assert scores == whole["scores"]
    assert list(models) == list(whole["models"])
    for name, facts in models.items():
        assert dict(facts) == whole["models"][name]
        assert len(facts) == len(whole["models"][name])
        assert facts.outline.architecture == whole["models"][name]["model"]["architecture"]
        assert facts.outline.blocks == whole["models"][name]["model"]["blocks"]
        assert facts.outline.trained_context == whole["models"][name]["model"]["trained_context"]


def test_a_part_that_the_file_lacks_is_missing() -> None:
    models, _ = stored_facts.read(packaged(FILE))
    facts = next(iter(models.values()))
    assert "listed" not in facts
    with pytest.raises(KeyError):
        facts["listed"]
    assert facts["gguf"] is facts["gguf"]  # read once


def test_a_file_of_another_form_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        stored_facts.read(b'{"scores": {}, "models": {"a": {"name": 3}}}')
