"""Mechanism shared by the services: it knows no customer, point or rupiah."""

import os

# The core of gRPC writes lines of its own form to standard error, as of a failed handshake; ours are JSON.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
