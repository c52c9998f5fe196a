"""The gRPC server: one interceptor a file, wrapped in the order errors → metrics → limits → deadline →
auth → merchants → validation → streams → servicer.
"""

from kit.rpc.server import Servicer, build_server

__all__ = ["Servicer", "build_server"]
