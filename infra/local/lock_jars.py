"""Writes infra/kafka/jars.lock anew: resolves Kafka's Maven closure, downloads it and records sizes and checksums.

Run by hand (`python -m infra.local.lock_jars`) when Kafka's version changes; never at start-up.
"""

import hashlib
import tempfile
from pathlib import Path

from jgo.maven import MavenContext

from infra.local.jars import KAFKA_VERSION, LOCK_FILE

BROKER = ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION)
LOGGING_GROUP = "org.apache.logging.log4j"
# The closure has slf4j-api 1.7 and no binding to it, so that the broker would be silent.
LOGGING_BINDING = "log4j-slf4j-impl"


def resolve(cache: Path) -> list[tuple[str, str, str, Path]]:
    """Group, artifact, version and downloaded file of each jar the broker needs at run time."""
    context = MavenContext(repo_cache=cache, timeout=60)
    pom = context.project(*BROKER[:2]).at_version(BROKER[2]).pom()
    _, nodes = context.pom_dependency_list(pom)
    wanted = {(node.dep.groupId, node.dep.artifactId, node.dep.version) for node in nodes} | {BROKER}
    log4j_version = next(version for group, name, version in wanted if (group, name) == (LOGGING_GROUP, "log4j-core"))
    wanted.add((LOGGING_GROUP, LOGGING_BINDING, log4j_version))
    return [
        (group, name, version, Path(context.project(group, name).at_version(version).artifact().resolve()))
        for group, name, version in sorted(wanted)
    ]


def main() -> None:
    """Resolve and write the lock file."""
    lines = [
        f"# The run-time closure of {':'.join(BROKER)} and its log binding. Made by `python -m infra.local.lock_jars`."
    ]
    with tempfile.TemporaryDirectory() as cache:
        for group, name, version, path in resolve(Path(cache)):
            content = path.read_bytes()
            lines.append(f"{group}:{name}:{version} {len(content)} {hashlib.sha256(content).hexdigest()}")
    LOCK_FILE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
