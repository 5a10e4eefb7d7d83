"""Python types and clients of phalanx.v1, made from the .proto files of this repository when this module is imported."""

import pathlib
import sys
import tempfile

from grpc_tools import protoc

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_MADE = tempfile.TemporaryDirectory(prefix="phalanx-proto-")
_FILES = ["phalanx/v1/types.proto", "phalanx/v1/execution.proto", "phalanx/v1/query.proto"]
_OPTIONS = [f"-I{_ROOT / 'proto'}", f"--python_out={_MADE.name}", f"--grpc_python_out={_MADE.name}"]
if protoc.main(["protoc", *_OPTIONS, *_FILES]) != 0:
    raise RuntimeError("the .proto files do not compile")
sys.path.insert(0, _MADE.name)

from phalanx.v1 import execution_pb2, execution_pb2_grpc, query_pb2, query_pb2_grpc, types_pb2  # noqa: E402

__all__ = ["execution_pb2", "execution_pb2_grpc", "query_pb2", "query_pb2_grpc", "types_pb2"]
