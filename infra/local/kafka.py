"""Apache Kafka 4.1.1, one KRaft node on 127.0.0.1: files, format, command line, and a readiness question the broker answers."""

import base64
import shutil
import socket
import struct
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import HOST
from infra.local.process import ProcessSpec
from libs.kit.errors import UserError

TEMPLATES = Path(__file__).parent.parent / "kafka"
_API_VERSIONS_KEY = 18
# Measured on two cores: C1 alone starts faster and needs less memory than tiered compilation; see the decision on the broker.
_JVM_FLAGS = (
    "-Xms64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxDirectMemorySize=96m",
    "-XX:ReservedCodeCacheSize=64m",
    "-Xss512k",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)


@dataclass(frozen=True, slots=True)
class EmbeddedKafka:
    """A broker of one folder. `port` serves clients, `controller_port` serves the broker itself."""

    folder: Path
    jars: Path
    java: Path
    port: int
    controller_port: int
    heap_mb: int = 320

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _class_path(self) -> str:
        return f"{self.jars}/*"

    def prepare(self) -> None:
        """Write the configuration and format the log folder once; a folder whose format was cut short is formatted again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listeners = f"PLAINTEXT://{HOST}:{self.port}"
        own = {
            "listeners": f"{listeners},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "log.dirs": str(self._data.absolute()),
        }
        lines = [f"{key}={value}" for key, value in own.items()]
        self._properties.write_text((TEMPLATES / "server.properties").read_text() + "\n".join(lines) + "\n")
        if not (self._data / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        # Kafka's own ids never begin with a dash either: its tool would take one for an option.
        cluster_id = "-"
        while cluster_id.startswith("-"):
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._properties)]
        argv = [str(self.java), *_JVM_FLAGS, "-cp", self._class_path, *tool]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise UserError(
                f"Kafka's log folder cannot be formatted: {reason[0]}",
                where=str(self._data),
                todo="check that the disk has space and the folder may be written",
            )

    def spec(self) -> ProcessSpec:
        """How to start the broker; it stops in order on SIGTERM and survives SIGKILL."""
        flags = (*_JVM_FLAGS, f"-Xmx{self.heap_mb}m", f"-Dlog4j2.configurationFile={TEMPLATES / 'log4j2.yaml'}")
        return ProcessSpec(
            name="kafka",
            argv=(str(self.java), *flags, "-cp", self._class_path, "kafka.Kafka", str(self._properties)),
            folder=self.folder,
        )

    def is_ready(self) -> bool:
        """Whether the broker answers an ApiVersions request, the first thing every client asks."""
        return answers_as_kafka(HOST, self.port)


def answers_as_kafka(host: str, port: int, timeout_seconds: float = 1.0) -> bool:
    """Send ApiVersions (key 18, version 0) and look for an answer with our correlation number and no error."""
    correlation = 7
    request = struct.pack(">hhih", _API_VERSIONS_KEY, 0, correlation, -1)
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (correlation, 0)
