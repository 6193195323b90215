"""The manifests in scripts/kubernetes have the fields of KubeRay's RayJob, and run commands that exist.

The names below are facts of KubeRay's ``ray.io_rayjobs.yaml`` (v1) at commit feeaf72f of ray-project/kuberay, those of
pods facts of Kubernetes' PodSpec in the same file; where a manifest needs another one, look it up there.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from vidcls.cli import COMMANDS
from vidcls.settings_file import read_settings

MANIFESTS = sorted((Path(__file__).parents[2] / "scripts" / "kubernetes").glob("*.yaml"))
RAY_VERSION = "2.60.0"
QUANTITIES = {"cpu": str, "memory": str, "nvidia.com/gpu": (str, int)}
CONTAINER = {
    "name": str,
    "image": str,
    "env": [{"name": str, "value": str}],
    "resources": {"requests": QUANTITIES, "limits": QUANTITIES},
    "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
}
VOLUME = {
    "name": str,
    "persistentVolumeClaim": {"claimName": str},
    "emptyDir": {"medium": str, "sizeLimit": str},
}
POD = {"spec": {"containers": [CONTAINER], "volumes": [VOLUME], "tolerations": list, "nodeSelector": dict}}
WORKERS = {
    "groupName": str,
    "minReplicas": int,
    "maxReplicas": int,
    "replicas": int,
    "rayStartParams": dict,
    "template": POD,
}
RAY_JOB = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "entrypoint": str,
        "backoffLimit": int,
        "activeDeadlineSeconds": int,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "rayClusterSpec": {
            "rayVersion": str,
            "enableInTreeAutoscaling": bool,
            "headGroupSpec": {"rayStartParams": dict, "template": POD},
            "workerGroupSpecs": [WORKERS],
        },
    },
}


def faults(value: Any, expected: Any, place: str = "") -> list[str]:
    """Where a manifest has a field that there is not, or one of another type."""
    if isinstance(expected, dict):
        if not isinstance(value, dict):
            return [f"{place}: expected a mapping"]
        unknown = [f"{place}.{name}: unknown" for name in value.keys() - expected.keys()]
        known = value.keys() & expected.keys()
        return unknown + [fault for name in known for fault in faults(value[name], expected[name], f"{place}.{name}")]
    if isinstance(expected, list):
        if not isinstance(value, list):
            return [f"{place}: expected a list"]
        return [fault for i, item in enumerate(value) for fault in faults(item, expected[0], f"{place}[{i}]")]
    return [] if isinstance(value, expected) else [f"{place}: {value!r} has another type"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_a_ray_job_whose_command_exists_and_whose_pods_mount_what_they_have(manifest: Path) -> None:
    job = read_settings(manifest)
    assert faults(job, RAY_JOB) == []
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    program, command, *words = shlex.split(job["spec"]["entrypoint"])
    assert program == "vidcls"
    assert command in COMMANDS
    assert words[words.index("--engine") + 1] == "ray"
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == RAY_VERSION
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert container["resources"]["requests"] == container["resources"]["limits"]  # as Ray counts them
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    shared = [volume for group in groups for volume in group["template"]["spec"]["volumes"]]
    assert len({str(volume["persistentVolumeClaim"]) for volume in shared if "persistentVolumeClaim" in volume}) == 1


def test_what_is_wrong_in_a_manifest_is_found() -> None:
    job = read_settings(MANIFESTS[0])
    job["spec"]["entrypont"] = "x"
    job["spec"]["backoffLimit"] = "3"
    assert sorted(faults(job, RAY_JOB)) == [".spec.backoffLimit: '3' has another type", ".spec.entrypont: unknown"]
