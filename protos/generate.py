"""Generates all code from the contract. What belongs here: where .proto files are and what is made of them.

Run it through `make protos` (writes) or `make check-protos` (fails when the committed code differs). Python code comes from
protoc's own generators and mypy-protobuf, JavaScript from `@bufbuild/protoc-gen-es` and from this project's plugin in
`frontend/codegen`. A person who does not touch a .proto file never needs any of it.

What the contract imports from `google/` is in Python packages, with its generated code. JavaScript has no such package,
so that code is generated here.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import google.type
import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PYTHON_OUT = ROOT / "backend" / "generated"
JS_OUT = ROOT / "frontend" / "src" / "generated"
NODE_BIN = ROOT / "frontend" / "node_modules" / ".bin"
GRPC_WEB_PLUGIN = ROOT / "frontend" / "codegen" / "protoc-gen-grpc-web.cjs"

WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
"""google/protobuf/*.proto"""
COMMON = Path(google.type.__path__[0]).parent.parent
"""google/type/*.proto and google/rpc/*.proto, as the package googleapis-common-protos installs them."""
COMMON_IN_JS = ("google/rpc/error_details.proto", "google/rpc/status.proto", "google/type/money.proto")

PACKAGE = PYTHON_OUT.name
KEEP = {"__init__.py", "py.typed", "__pycache__"}


def generate(python_out: Path, js_out: Path) -> None:
    """Writes the Python and the JavaScript code of every .proto file into the two folders.

    Raises `SystemExit` with protoc's exit code when a file does not compile.
    """
    files = _files()
    os.environ["PATH"] = os.pathsep.join([str(NODE_BIN), str(Path(sys.executable).parent), os.environ["PATH"]])
    _run_protoc(
        f"--python_out={python_out}",
        f"--grpc_python_out={python_out}",
        f"--mypy_out=quiet:{python_out}",
        f"--mypy_grpc_out=quiet:{python_out}",
        *files,
    )
    _run_protoc(
        f"--es_out={js_out}",
        "--es_opt=target=js+dts,js_import_style=legacy_commonjs,import_extension=js",
        f"--plugin=protoc-gen-grpc-web={GRPC_WEB_PLUGIN}",
        f"--grpc-web_out={js_out}",
        "--grpc-web_opt=target=js+dts,js_import_style=legacy_commonjs,import_extension=js",
        *files,
        *COMMON_IN_JS,
    )
    _qualify_python_imports(python_out, files)


def describe(image: Path) -> None:
    """Writes the descriptors of all .proto files and of what they import, for `buf lint`, which cannot fetch any.

    Raises `SystemExit` as `generate` does.
    """
    _run_protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}", *_files())


def _files() -> list[str]:
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))


def _run_protoc(*arguments: str) -> None:
    code = protoc.main(["protoc", f"-I{PROTOS}", f"-I{WELL_KNOWN}", f"-I{COMMON}", *arguments])
    if code:
        raise SystemExit(code)


def _qualify_python_imports(python_out: Path, files: list[str]) -> None:
    """Puts the generated modules below the `generated` package.

    protoc names Python modules after the .proto path alone, so that `echo.v1` would be a top-level package of every
    process that uses it, and protoc has no option against that.
    """
    packages = "|".join(sorted({re.escape(file.split("/")[0]) for file in files}))
    patterns = [
        (re.compile(rf"^from ((?:{packages})[.\w]*) import ", re.M), rf"from {PACKAGE}.\1 import "),
        (re.compile(rf"^import ((?:{packages})[.\w]*) as ", re.M), rf"import {PACKAGE}.\1 as "),
    ]
    for path in [*python_out.rglob("*.py"), *python_out.rglob("*.pyi")]:
        text = path.read_text()
        for pattern, replacement in patterns:
            text = pattern.sub(replacement, text)
        path.write_text(text)


def _differences(fresh: Path, committed: Path) -> list[str]:
    names = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    names |= {
        path.relative_to(committed)
        for path in committed.rglob("*")
        if path.is_file() and not KEEP.intersection(path.parts)
    }
    return sorted(
        str((committed / name).relative_to(ROOT))
        for name in names
        if not (fresh / name).is_file()
        or not (committed / name).is_file()
        or not filecmp.cmp(fresh / name, committed / name, shallow=False)
    )


def _replace(fresh: Path, committed: Path) -> None:
    committed.mkdir(parents=True, exist_ok=True)
    for path in committed.iterdir():
        if path.name not in KEEP:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(fresh, committed, dirs_exist_ok=True)


def main() -> None:
    """Command line: writes; with `--check` compares and exits 1 with the differing files; with `--image` describes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed code differs")
    parser.add_argument("--image", type=Path, help="write the descriptors to this file, and nothing else")
    arguments = parser.parse_args()
    if arguments.image:
        describe(arguments.image)
        return
    with tempfile.TemporaryDirectory() as folder:
        python_out, js_out = Path(folder, "python"), Path(folder, "js")
        python_out.mkdir()
        js_out.mkdir()
        generate(python_out, js_out)
        if arguments.check:
            changed = _differences(python_out, PYTHON_OUT) + _differences(js_out, JS_OUT)
            if changed:
                raise SystemExit("generated code is not up to date, run `make protos`:\n  " + "\n  ".join(changed))
            return
        _replace(python_out, PYTHON_OUT)
        _replace(js_out, JS_OUT)


if __name__ == "__main__":
    main()
