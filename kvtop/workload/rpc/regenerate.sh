#!/bin/sh
# Regenerates *_pb2.py and *_pb2.pyi. grpcio-tools 1.74 generates for protobuf 6.31, which the
# runtimes 6.31 to 7 load; a newer one would raise the floor in pyproject.toml.
#   python -m venv /tmp/generate && /tmp/generate/bin/pip install grpcio-tools==1.74.0
#   PYTHON=/tmp/generate/bin/python kvtop/workload/rpc/regenerate.sh
set -eu
cd "$(dirname "$0")/../../.."
exec "${PYTHON:-python}" -m grpc_tools.protoc -I. --python_out=. --pyi_out=. kvtop/workload/rpc/*.proto
