"""Control groups of several kinds, as files in a made-up tree, and how many of 8 cores they leave."""

from __future__ import annotations

from pathlib import Path

ONE = "33 31 0:29 {} /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
TWO = "41 31 0:37 {} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
OTHERS = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n34 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
CGROUP, MOUNTS = "proc/self/cgroup", "proc/self/mountinfo"
V1, V2 = "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup"


def one(group: str, root: str = "/", **limits: str) -> dict[str, str]:
    """Files of version 1: `limits` are folder -> "quota period"; "_" stands for the mount itself."""
    files = {CGROUP: f"4:cpuset:/x\n3:cpu,cpuacct:{group}\n0::/y\n", MOUNTS: OTHERS + ONE.format(root)}
    for folder, limit in limits.items():
        place = f"{V1}/{folder}".replace("/_", "").replace("__", "/")
        for name, value in zip(("quota", "period"), limit.split(), strict=True):
            files[f"{place}/cpu.cfs_{name}_us"] = value + "\n"
    return files


def two(group: str, root: str = "/", **limits: str) -> dict[str, str]:
    """The same of version 2."""
    files = {CGROUP: f"0::{group}\n", MOUNTS: OTHERS + TWO.format(root)}
    for folder, limit in limits.items():
        files[f"{V2}/{folder}/cpu.max".replace("/_", "").replace("__", "/")] = limit + "\n"
    return files


QUOTAS: dict[str, tuple[dict[str, str], int]] = {
    "half a core": (two("/app", app="50000 100000"), 1),
    "half a core, version 1": (one("/app", app="50000 100000"), 1),
    "two and a half cores": (two("/app", app="250000 100000"), 3),
    "exactly two, version 1": (one("/app", app="200000 100000"), 2),
    "another period": (two("/app", app="30000 20000"), 2),
    "no limit": (two("/app", app="max 100000"), 8),
    "no limit, version 1": (one("/app", app="-1 100000"), 8),
    "more than there are": (two("/app", app="6400000 100000"), 8),
    "a parent's": (two("/a/b/c", a="150000 100000", a__b="max 100000", a__b__c="700000 100000"), 2),
    "a parent's, version 1": (one("/a/b", a="100000 100000", a__b="-1 100000"), 1),
    "the mount's, as in a container": (one("/docker/12ab", "/docker/12ab", _="300000 100000"), 3),
    "below the mount, as in a container": (two("/pod/12ab/app", "/pod", **{"12ab__app": "200000 100000"}), 2),
    "outside of the mount": (two("/../../other", _="200000 100000"), 2),
    "a name that begins like the mount": (one("/dockers", "/docker", _="400000 100000", s="100000 100000"), 4),
    "a mount with a space in its path": (
        {
            CGROUP: "0::/app\n",
            MOUNTS: TWO.replace("/sys/fs/cgroup", "/my\\040groups").format("/"),
            "my groups/app/cpu.max": "100000 100000\n",
        },
        1,
    ),
    "nonsense": (two("/app", app="many 0"), 8),
    "a period of 0": (one("/app", app="50000 0"), 8),
    "no such files": ({CGROUP: "0::/app\n", MOUNTS: TWO.format("/")}, 8),
    "no control groups": ({}, 8),
    "broken tables": ({CGROUP: "0\n::\n\n", MOUNTS: "1 2 - cgroup2\n - \n" + TWO.format("/")}, 8),
}


def made(folder: Path, files: dict[str, str]) -> Path:
    """Write the files below a folder; return it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
