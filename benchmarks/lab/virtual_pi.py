"""A virtual Pi: a 64-bit Arm machine under QEMU with Debian's kernel, C library and sshd, made from Debian's packages.

Its processor has a Raspberry Pi's instruction set, its disk and connection are real enough to be cut off; its time is
nobody's: what is counted on it is an instruction budget and never a latency.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.lab import debian
from benchmarks.lab.host import Host, free_port, new_key

CACHE = Path(__file__).parents[2] / "build/virtual-pi"
TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "mkfs.ext4": "e2fsprogs",
    "cpio": "cpio",
    "modprobe": "kmod",
    "ssh-keygen": "openssh-client",
    "dpkg-deb": "dpkg",
}
SYSTEM = "base-files bash dash coreutils findutils tar gzip grep sed mawk libc-bin util-linux"
SYSTEM += " openssh-server openssh-client busybox-static libstdc++6"
KERNEL = "linux-image-cloud-arm64"
DISK_MB = 640
INSTRUCTION_NS = 2  # a power of 2
RECIPE = 3  # part of the image's name: raised where the image is made otherwise

INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /run; mkdir -p /run/sshd
hostname pi
exec /usr/sbin/sshd -D -e 2>/dev/console
"""
INITRD = """#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc p /proc; $B mount -t sysfs s /sys; $B mount -t devtmpfs d /dev
for m in $($B cat /order); do $B insmod /mod/$m; done
i=0; while [ ! -b /dev/vda ] && [ $i -lt 300 ]; do $B sleep 0.1; i=$((i+1)); done
$B ip link set lo up; $B ip link set eth0 up; $B ip addr add 10.0.2.15/24 dev eth0; $B ip route add default via 10.0.2.2
$B mount -t ext4 /dev/vda /new
$B mount --move /proc /new/proc; $B mount --move /sys /new/sys; $B mount --move /dev /new/dev
exec $B switch_root /new /usr/sbin/init-pi
"""
SSHD_CONFIG = """HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
UseDNS no
"""


class Apt:
    """apt for arm64 with a state of its own; this machine's is untouched."""

    def __init__(self, folder: Path) -> None:
        self.archives = folder / "cache/archives"
        for path in (folder / "state/lists/partial", self.archives / "partial"):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        options = ["APT::Architecture=arm64", "APT::Architectures=arm64", f"Dir::State={folder}/state"]
        options += [f"Dir::State::status={folder}/status", f"Dir::Cache={folder}/cache", "APT::Sandbox::User=root"]
        self.command = ["apt-get", *(word for option in options for word in ("-o", option)), "-qq"]

    def __call__(self, *words: str, cwd: Path | None = None) -> str:
        return subprocess.run([*self.command, *words], capture_output=True, text=True, check=True, cwd=cwd).stdout

    def versions(self, *packages: str) -> dict[str, str]:
        """Return what an installation would bring: versions by name."""
        lines = self("--no-install-recommends", "--simulate", "install", *packages).splitlines()
        return {line.split()[1]: line.split("(")[1].split()[0] for line in lines if line.startswith("Inst ")}


def image() -> Path:
    """Return the folder of the image, made where Debian has newer packages than the last one: kernel, initrd, disk."""
    debian.need(TOOLS)
    CACHE.mkdir(parents=True, exist_ok=True)
    apt = Apt(CACHE / "apt")
    made = sorted(CACHE.glob("image-*"), key=lambda path: path.stat().st_mtime)
    try:
        apt("update")
        versions = apt.versions(KERNEL, *SYSTEM.split())
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        if made:
            return made[-1]
        raise debian.Unavailable(f"Debian's packages for a virtual Pi can't be fetched ({error})") from None
    digest = hashlib.sha256(f"{RECIPE} {DISK_MB} {sorted(versions.items())}".encode()).hexdigest()[:16]
    place = CACHE / f"image-{digest}"
    if not place.exists():
        kernel = next(name for name in versions if name.startswith("linux-image-") and name != KERNEL)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            (Path(folder) / "image").mkdir(mode=0o755)
            _make(Path(folder), Path(folder) / "image", apt, kernel)
            os.replace(Path(folder) / "image", place)
        for old in made:
            shutil.rmtree(old)
    return place


def _make(work: Path, place: Path, apt: Apt, kernel: str) -> None:
    root, modules = work / "root", work / "kernel"
    for folder in ("bin", "sbin", "lib"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    apt("--yes", "--no-install-recommends", "--download-only", "install", *SYSTEM.split())
    for package in sorted(apt.archives.glob("*.deb")):
        _run(f"dpkg-deb --fsys-tarfile '{package}' | tar -x -C '{root}' --keep-directory-symlink")
        package.unlink()
    apt("download", kernel, cwd=work)
    _run(f"dpkg-deb -x {kernel}_*.deb '{modules}'", work)
    # What the packages' own scripts would have done.
    for name, target in (("sh", "dash"), ("awk", "mawk")):
        if not (root / "usr/bin" / name).is_symlink():
            (root / "usr/bin" / name).symlink_to(target)
    for path in ("etc/ssh", "root/.ssh", "proc", "sys", "dev", "tmp", "run", "mnt"):
        (root / path).mkdir(parents=True, exist_ok=True)
    host_key, key = new_key(place / "host_key"), new_key(place / "user")
    shutil.copy(host_key, root / "etc/ssh/ssh_host_ed25519_key")
    shutil.copy(key.with_suffix(".pub"), root / "root/.ssh/authorized_keys")
    users = "root:x:0:0:root:/root:/bin/bash\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
    for name, text in (
        ("etc/passwd", users + "nobody:x:65534:65534::/:/usr/sbin/nologin\n"),
        ("etc/shadow", "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n"),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\ntty:x:5:\n"),
        ("etc/ssh/sshd_config", SSHD_CONFIG),
        ("usr/sbin/init-pi", INIT),
    ):
        (root / name).write_text(text)
    (root / "usr/sbin/init-pi").chmod(0o755)
    _run(f"ldconfig -r '{root}'")
    _initrd(work, place, root / "usr/bin/busybox", modules)
    shutil.copy(next((modules / "boot").glob("vmlinuz-*")), place / "kernel")
    make_disk(root, place / "disk", DISK_MB)


def make_disk(content: Path, path: Path, megabytes: int) -> None:
    """Write an ext4 disk with what is in the folder `content`."""
    with open(path, "wb") as file:
        file.truncate(megabytes << 20)
    _run(f"mkfs.ext4 -q -F -d '{content}' '{path}'")


def _initrd(work: Path, place: Path, busybox: Path, modules: Path) -> None:
    """The few kernel modules, in the order of their dependencies, and the way to the disk."""
    folder = work / "initrd"
    for path in ("bin", "proc", "sys", "dev", "new", "mod"):
        (folder / path).mkdir(parents=True)
    shutil.copy(busybox, folder / "bin/busybox")
    version = next((modules / "lib/modules").iterdir()).name
    _run(f"depmod -b '{modules}' {version}")
    order: list[str] = []
    for name in ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng", "crc32c_generic", "ext4"):
        for line in _run(f"modprobe -d '{modules}' -S {version} --show-depends {name} || true").splitlines():
            module = Path(line.split()[1]) if line.startswith("insmod ") else None
            if module is not None and module.name not in order:
                order.append(module.name)
                shutil.copy(module, folder / "mod")
    (folder / "order").write_text("\n".join(order) + "\n")
    (folder / "init").write_text(INITRD)
    (folder / "init").chmod(0o755)
    packed = subprocess.run("find . | cpio -o -H newc", shell=True, cwd=folder, capture_output=True, check=True).stdout
    (place / "initrd").write_bytes(gzip.compress(packed, 1))


def _run(command: str, cwd: Path | None = None) -> str:
    environment = {**os.environ, "PATH": debian.PATH}
    done = subprocess.run(command, shell=True, cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


class VirtualPi(Host):
    """A virtual Pi with a disk of its own, which outlives the machine's being killed.

    With `counts` its clock counts the instructions that its processor executes, INSTRUCTION_NS each: the same program
    takes the same time on it, whatever this machine does meanwhile. A `drive` is a further disk of `make_disk`, which
    it can read as `/dev/vdb`.
    """

    def __init__(
        self,
        folder: Path,
        processor: str = "cortex-a72",
        memory_mb: int = 512,
        clock: str = "utc",
        counts: bool = False,
        drive: Path | None = None,
    ) -> None:
        self.image = image()
        super().__init__(folder, free_port(), self.image / "user", _public(self.image / "host_key"))
        self.disk = folder / "disk"
        subprocess.run(["cp", "--sparse=always", self.image / "disk", self.disk], check=True)
        self.machine = ["-M", "virt", "-cpu", processor, "-smp", "1", "-m", str(memory_mb), "-rtc", f"base={clock}"]
        self.machine += ["-icount", f"shift={INSTRUCTION_NS.bit_length() - 1}"] if counts else []
        if drive is not None:
            further = f"file={drive},if=none,format=raw,id=d1,readonly=on"
            self.machine += ["-drive", further, "-device", "virtio-blk-pci,drive=d1"]
        self.process: subprocess.Popen[bytes] | None = None

    def boot(self) -> float:
        """Start it and wait until it takes connections; return the seconds."""
        begun = time.monotonic()
        command = ["qemu-system-aarch64", "-nographic", "-no-reboot"]
        command += ["-kernel", str(self.image / "kernel"), "-initrd", str(self.image / "initrd")]
        command += ["-append", "console=ttyAMA0 quiet loglevel=3 panic=-1"]
        command += ["-drive", f"file={self.disk},if=none,format=raw,id=d0", "-device", "virtio-blk-pci,drive=d0"]
        forward = f"hostfwd=tcp:127.0.0.1:{self.port}-:22,restrict=on"
        command += ["-netdev", f"user,id=n0,{forward}", "-device", "virtio-net-pci,netdev=n0,romfile="]
        command += ["-device", "virtio-rng-pci", *self.machine]
        with open(self.folder / "console", "wb") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        while time.monotonic() - begun < 300:
            assert self.process.poll() is None, (self.folder / "console").read_text(errors="replace")
            try:
                self.ssh("true")
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                time.sleep(0.3)
            else:
                return time.monotonic() - begun
        self.cut()
        raise AssertionError((self.folder / "console").read_text(errors="replace"))

    def cut(self) -> None:
        """Cut its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])
