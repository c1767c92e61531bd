"""Plans on vLLM as applications of Ray Serve LLM: judged by Ray's own models, and by vLLM's list of arguments."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting
from gyakusan.exports.export import export
from gyakusan.exports.ray_serve import ACCELERATORS, BUILDER, _options, accelerator, arguments, is_llm
from gyakusan.exports.settings import ExportSettings

ACCEPTED = json.loads(gzip.decompress((Path(__file__).parent / "schemas" / "vllm-arguments.json.gz").read_bytes()))
"""Names of vLLM 0.32.0, as Ray asks for them: VLLMEngineConfig.from_llm_config refuses another one."""
PLANS: list[tuple[str, str, dict[str, Any]]] = [
    ("qwen3-8b", "RTX 4090", {}),
    ("qwen3-32b", "2x L40S", {}),
    ("llama3.3-70b", "4x RTX 3090", {}),
    ("gpt-oss-120b", "H100", {"enforce_eager": True, "kv_cache_dtype": "fp8"}),
    ("llama3.1-8b", "A100-SXM4-80GB", {"quantization": "fp8", "enable_prefix_caching": False}),
    ("qwen3-8b", "4x RTX 4090", {"data_parallel": 4}),
    ("qwen3.6-35b-a3b", "RTX 5090", {}),
    ("qwen3-8b", "4x RTX 4090", {"tensor_parallel": 2}),
    ("qwen3-8b", "8x RTX 4090", {"tensor_parallel": 2, "data_parallel": 2}),
    ("qwen3-8b", "4x RTX 4090", {"tensor_parallel": 1}),
    ("qwen3-8b", "8x RTX 4090", {"tensor_parallel": 2, "pipeline_parallel": 2}),
]


def asked(index: int) -> Deployment:
    model, device, changes = PLANS[index]
    return api.deployment(model, load=Load(8, 8192), device=device, server="vllm", settings=changes)


def told(index: int, **settings: Any) -> dict[str, Any]:
    """The file as Ray reads it."""
    found: dict[str, Any] = yaml.safe_load(export((asked(index),), "ray", ExportSettings(**settings)))
    return found


def config_of(index: int, **settings: Any) -> dict[str, Any]:
    (application,) = told(index, **settings)["applications"]
    assert application["import_path"] == BUILDER
    (config,) = application["args"]["llm_configs"]
    return dict(config)


@pytest.mark.parametrize("index", range(len(PLANS)))
@pytest.mark.filterwarnings("ignore")  # of Ray itself
@pytest.mark.parametrize("settings", [{}, {"replicas": 2}, {"most_replicas": 5}])
def test_ray_takes_the_file_and_the_configuration(index: int, settings: dict[str, int]) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (make ray)")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (make ray)")
    from ray.llm._internal.common.placement import PlacementGroupConfig
    from ray.llm._internal.serve.core.configs.llm_config import LLMConfig
    from ray.serve.schema import ServeDeploySchema

    file = told(index, **settings)
    seen = ServeDeploySchema.model_validate(file)
    assert seen.http_options.host == "127.0.0.1"
    config = config_of(index, **settings)
    made = LLMConfig.model_validate(config)
    assert made.model_id == PLANS[index][0]
    assert made.accelerator_config is not None
    assert made.accelerator_config.kind == "gpu"
    assert PlacementGroupConfig.model_validate(config["placement_group_config"]).bundles


@pytest.mark.filterwarnings("ignore")  # of Ray itself
def test_what_ray_refuses_is_seen_by_this_test() -> None:
    pytest.importorskip("ray", reason="Ray is not installed (make ray)")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (make ray)")
    from ray.llm._internal.serve.core.configs.llm_config import LLMConfig

    for name, value in (("accelerator_type", "RTX 4090"), ("deployment_config", {"num_replicas": "two"})):
        with pytest.raises(ValueError, match=r"two|RTX 4090"):
            LLMConfig.model_validate({**config_of(1), name: value})


@pytest.mark.parametrize("index", range(len(PLANS)))
def test_vllm_knows_every_argument(index: int) -> None:
    names = set(config_of(index)["engine_kwargs"])
    assert names <= {*ACCEPTED["engine"], *ACCEPTED["frontend"]}
    assert not names & {"model", "served_model_name", "host", "port"}, "Ray says these itself, or refuses them"


def test_arguments_are_those_of_the_plan() -> None:
    kwargs = config_of(3)["engine_kwargs"]
    assert (kwargs["max_model_len"], kwargs["kv_cache_dtype"], kwargs["enforce_eager"]) == (8192, "fp8", True)
    assert isinstance(kwargs["gpu_memory_utilization"], float)
    assert config_of(4)["engine_kwargs"]["enable_prefix_caching"] is False
    assert dict(_options(("--quantization", "fp8", "--default-chat-template-kwargs", '{"a": 1}', "--no-x"))) == {
        "quantization": "fp8",
        "default_chat_template_kwargs": {"a": 1},
        "x": False,
    }
    assert config_of(1)["engine_kwargs"]["tensor_parallel_size"] == 2


def test_copies_in_one_server_are_replicas() -> None:
    config = config_of(5, replicas=2)
    assert "data_parallel_size" not in config["engine_kwargs"]
    assert config["deployment_config"]["num_replicas"] == 8
    assert config["deployment_config"]["max_ongoing_requests"] == 2
    assert config["placement_group_config"]["bundles"] == [{"CPU": 1, "GPU": 1}]


@pytest.mark.parametrize("index", range(len(PLANS)))
def test_a_replica_reserves_the_gpus_of_one_copy(index: int) -> None:
    """Also on machines with more GPUs than the plan uses: the rest stays free for others."""
    config, settings = config_of(index), asked(index).settings
    kwargs = config["engine_kwargs"]
    world = kwargs.get("tensor_parallel_size", 1) * kwargs.get("pipeline_parallel_size", 1)
    assert config["placement_group_config"]["bundles"] == [{"CPU": 1, "GPU": 1}] * world
    assert world == settings.world


def test_copies_that_share_experts_are_no_replicas() -> None:
    changes = {"expert_parallel": True, "tensor_parallel": 1, "data_parallel": 8}
    asked = api.deployment("qwen3-235b-a22b", load=Load(8, 8192), device="8x H100", server="vllm", settings=changes)
    for refused in (lambda: export((asked,), "ray", ExportSettings()), lambda: arguments(asked, ExportSettings())):
        with pytest.raises(BadSetting, match=r"The 8 copies of qwen3-235b-a22b share their experts.*kubernetes"):
            refused()
    for kind in ("kubernetes", "vllm-stack", "compose"):
        text = export((asked,), kind, ExportSettings())
        assert "--enable-expert-parallel" in text
        assert re.search(r'--data-parallel-size"?\n\s+- "8"', text), "one server holds all copies"
        assert "8" in re.findall(r'(?:requestGPU|count|nvidia.com/gpu): "?(\d+)', text)


def test_experts_spread_over_one_copy_are_a_replica() -> None:
    changes = {"expert_parallel": True, "tensor_parallel": 8}
    asked = api.deployment("qwen3-235b-a22b", load=Load(8, 8192), device="8x H100", server="vllm", settings=changes)
    (config,) = arguments(asked, ExportSettings())["llm_configs"]
    assert config["engine_kwargs"]["enable_expert_parallel"] is True
    assert len(config["placement_group_config"]["bundles"]) == 8


def test_bounds_follow_the_queue() -> None:
    bounds = config_of(0, replicas=2, most_replicas=6)["deployment_config"]["autoscaling_config"]
    assert bounds == {"min_replicas": 2, "max_replicas": 6, "target_ongoing_requests": 8}


def test_workers_of_one_computer_stay_on_one() -> None:
    here, wide = config_of(1), config_of(1, nodes=2)
    assert here["placement_group_config"]["strategy"] == "STRICT_PACK"
    assert (wide["placement_group_config"]["strategy"], len(wide["placement_group_config"]["bundles"])) == ("PACK", 4)
    assert wide["engine_kwargs"]["pipeline_parallel_size"] == 2
    assert "VLLM_HOST_IP" not in wide["runtime_env"]["env_vars"], (
        "workers on other computers could not reach the loopback"
    )


def test_types_of_gpus_are_rays() -> None:
    assert [accelerator(asked(i)) for i in (0, 1, 3, 4)] == ["", "L40S", "H100", "A100"]
    pytest.importorskip("ray", reason="Ray is not installed (make ray)")
    from ray.util.accelerators import accelerators

    names = ACCELERATORS.pattern.partition("(")[2].partition(")")[0].split("|")
    assert set(names) <= {v for k, v in vars(accelerators).items() if k.startswith("NVIDIA")}


def test_what_it_cannot_hold_is_refused() -> None:
    with pytest.raises(BadSetting, match="runs vLLM only"):
        export((api.deployment("qwen3-8b", load=Load(1, 8192), device="RTX 4090"),), "ray")
    assert not is_llm(api.deployment("qwen3-8b", load=Load(1, 8192), device="RTX 4090"))
    with pytest.raises(BadSetting, match="has no --lan"):
        export((asked(0),), "ray", ExportSettings(lan=True))


def test_no_key_is_in_it() -> None:
    assert "KEY" not in json.dumps(arguments(asked(0), ExportSettings())).upper().replace("KV_", "")
