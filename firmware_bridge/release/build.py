"""Building a release for a target: program, libraries, models, licences, bill of materials; signed, reproducible."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from edge import __version__
from edge.errors import EdgeError
from edge.files import write_beside
from edge.model import find, read, shipped
from firmware_bridge.release import elf, program, python_runtime, release, sbom, signature, sysroot, wheel
from firmware_bridge.release.release import File, Link, Payload
from firmware_bridge.release.sbom import Component
from firmware_bridge.target import SYSTEM_LIBRARIES, Target, check_buildable, require

# By the package with the static library: what it is called, the package with the same one to load, of the
# same source and version, by which scanners know it, and its licence.
_LINKED = {
    "libjansson-dev": ("jansson", "libjansson4", "MIT"),
    "libjpeg62-turbo-dev": ("libjpeg-turbo", "libjpeg62-turbo", "IJG AND BSD-3-Clause AND Zlib"),
    "libpng-dev": ("libpng", "libpng16-16", "libpng-2.0"),
    "zlib1g-dev": ("zlib", "zlib1g", "Zlib"),
}


class Content(NamedTuple):
    """What goes to boards of a target: files, and the versions that they need of the board's libraries.

    Attributes:
        compiled: the models with a network for the Edge TPU, by name.
    """

    target: Target
    payload: Payload
    needs: Mapping[str, str]
    compiled: Sequence[str] = ()


def names(models: Sequence[str], default: str | None = None) -> list[str]:
    """Return the names of the models that a release of these has; EdgeError as `content` raises it.

    Args:
        models: names or files; none for those that ship.
        default: the name of the one that is meant where none is named.
    """
    found = [read(find(name)).manifest.name for name in models] or [path.stem for path in shipped()]
    if default is not None and default not in found:
        raise EdgeError(
            f"{default!r} is to be the default and is not among the release's models: expected one of "
            f"{', '.join(found)}; name it with --model, too",
            "model.unknown",
        )
    return found


def content(target: Target, models: Sequence[str], default: str | None = None) -> Content:
    """Return program, libraries, models, licences and bill of materials for a target.

    Args:
        models, default: as in `names`.

    Raises EdgeError where something is missing or wrong, and where the target can't run what was built.
    """
    check_buildable(target)
    names(models, default)
    payload, parts, compiled = _models(models)
    if default is not None:
        payload["models/default"] = File(f"{default}\n".encode())
    more, components = (_native if target.program == "native" else python_runtime.files)(target)
    payload = {**payload, **more, "licences/edge-infer": File(_own_licence())}
    parts = [Component("application", sbom.PROGRAM, __version__, "", "MIT", None), *components, *parts]
    payload["sbom.json"] = File(sbom.document(target.name, parts))
    return Content(target, payload, require(target, _binaries(payload)), compiled)


def write(content: Content, number: int, key: Path, output: Path) -> Path:
    """Write the signed archive of a release into the folder `output`; return its path.

    Args:
        number: of this build of the program's version; the board accepts no lower one without --allow-downgrade.
        key: the OpenSSH key that signs.
    """
    if not 0 <= number <= 999_999:
        raise EdgeError(f"release number {number} was asked for: expected 0 to 999999")
    target = content.target
    made = release.Release(
        version=f"{__version__}-{number}",
        target=target.name,
        architecture=target.architecture,
        program=target.program,
        glibc=content.needs["GLIBC"],
        glibcxx=content.needs["GLIBCXX"],
        python=target.python if target.program == "python" else "none",
    )
    release.parse(made.text(), "edge-infer's version")
    digests, packed = release.digest_list(made, content.payload)
    data = release.archive_bytes(made, digests, signature.sign(digests, key), packed)
    path = output / f"{made.name}.tar"
    try:
        write_beside(path, data)
    except OSError as error:
        raise EdgeError(
            f"{path} can't be written ({error.strerror}): expected room and the right to write; make room, or give "
            "--output another folder"
        ) from None
    return path


def _models(names: Sequence[str]) -> tuple[dict[str, File | Link], list[Component], list[str]]:
    payload: dict[str, File | Link] = {}
    parts, compiled = [], []
    for path in [find(name) for name in names] or shipped():
        file = read(path)
        name = f"models/{file.manifest.name}.tflite"
        if name in payload:
            raise EdgeError(f"two models are called {file.manifest.name!r}: expected one; leave one out")
        payload[name] = File(file.data)
        card = Path(path).with_suffix(".md")
        if card.exists():
            payload[f"models/{file.manifest.name}.md"] = File(card.read_bytes())
        data = file.manifest.provenance.get("data", {})
        licence = sbom.of_images(data.get("licence") if isinstance(data, dict) else None)
        version = str(file.manifest.raw["version"])
        parts.append(Component("machine-learning-model", file.manifest.name, version, "", licence, file.data))
        if file.manifest.edgetpu is not None:
            compiled.append(file.manifest.name)
    return payload, parts, compiled


def _native(target: Target) -> tuple[Payload, list[Component]]:
    root = sysroot.sysroot(target.architecture)
    litert = wheel.fetch("ai-edge-litert", target.architecture)
    with zipfile.ZipFile(litert.path) as archive:
        library = archive.read("ai_edge_litert/libLiteRt.so")
        licence = archive.read(f"ai_edge_litert-{litert.version}.dist-info/licenses/LICENSE")
    executable = program.build(target, root)
    name = f"libLiteRt.so.{litert.version}"
    payload: dict[str, File | Link] = {
        "bin/edge-infer": File(executable, executable=True),
        f"lib/{name}": File(library),
        "lib/libLiteRt.so": Link(name),
        "licences/LiteRT": File(licence),
    }
    purl = sbom.pypi("ai-edge-litert", litert.version)
    parts = [Component("library", "LiteRT", litert.version, purl, "Apache-2.0", library)]
    for package, (title, binary, terms) in _LINKED.items():
        version = root.packages[package]
        payload[f"licences/{title}"] = File((root.folder / f"usr/share/doc/{package}/copyright").read_bytes())
        purl = sbom.deb(binary, version, sysroot.DEBIAN[target.architecture])
        parts.append(Component("library", title, version, purl, terms, None))
    return payload, parts


def _binaries(payload: Payload) -> dict[str, elf.Elf]:
    """Return the ELF files by name; EdgeError where one needs a library that neither release nor board has."""
    found = {
        name: elf.parse(file.data, name)
        for name, file in payload.items()
        if isinstance(file, File) and file.data.startswith(b"\x7fELF")
    }
    included = {name.rpartition("/")[2] for name in payload}
    for name, binary in found.items():
        for needed in binary.libraries:
            if needed not in included and not needed.startswith(SYSTEM_LIBRARIES):
                raise EdgeError(
                    f"{name} needs the library {needed}, which is not in the release: expected the board's C and C++ "
                    "libraries alone; link it statically"
                )
    return found


def _own_licence() -> bytes:
    root = Path(__file__).parents[2] / "LICENSE"
    if root.exists():
        return root.read_bytes()
    files = metadata.files("edge-infer") or []
    return Path(str(next(file.locate() for file in files if file.name == "LICENSE"))).read_bytes()
