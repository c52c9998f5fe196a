"""The gRPC server: one interceptor a file, wrapped in the order calls → errors → metrics → limits →
deadline → auth → merchants → validation → streams → servicer; a stream of items is opened through calls →
errors → deadline → auth → items.
"""

from kit.rpc.item_stream import Shape
from kit.rpc.items import takes_items
from kit.rpc.server import Servicer, build_server

__all__ = ["Servicer", "Shape", "build_server", "takes_items"]
