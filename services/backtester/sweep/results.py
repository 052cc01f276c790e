"""Rows of a sweep on disk: parts that appear whole or not at all, so that whatever ends a sweep loses a part at the most."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from libs.kit.errors import UserError

MANIFEST, PARTS = "sweep.manifest.json", "parts"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PartStore:
    """A folder with the parts of one sweep. A part is named by its job, and holds that job's rows."""

    folder: Path

    @classmethod
    def open(cls, folder: Path, digest: str, about: Mapping[str, Any]) -> "PartStore":
        """The store of this sweep: a new one, or the one that an interrupted run of the same sweep has left.

        Raises `UserError` when the folder holds another sweep: other data, space, account, seed or code.
        """
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
        manifest = folder / MANIFEST
        if manifest.exists():
            known = json.loads(manifest.read_text())
            if known.get("digest") != digest:
                raise UserError(
                    "the folder holds another sweep (other data, parameters, costs, seed or code)",
                    where=str(folder),
                    todo="name another folder with --output, or remove this one",
                )
        else:
            replace_file(manifest, json.dumps({"digest": digest, **about}, indent=1, sort_keys=True).encode())
        return cls(folder)

    def done(self) -> set[str]:
        """The jobs whose part is there."""
        return {path.stem for path in (self.folder / PARTS).glob("*.parquet")}

    def write(self, job: str, rows: list[Row]) -> None:
        """Keep a job's rows, at once."""
        path = self.folder / PARTS / f"{job}.parquet"
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        pq.write_table(pa.Table.from_pylist(rows), unfinished)
        unfinished.replace(path)

    def read(self, job: str) -> list[Row]:
        """A job's rows. Raises `UserError` for a part that is none."""
        path = self.folder / PARTS / f"{job}.parquet"
        try:
            rows: list[Row] = pq.read_table(path).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise UserError(
                f"the part cannot be read: {error}", where=str(path), todo="remove it and start again"
            ) from None
        return rows


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """All rows as one Parquet file, replaced at once."""
    unfinished = path.with_name(path.name + ".part")
    pq.write_table(pa.Table.from_pylist(list(rows)), unfinished)
    unfinished.replace(path)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader never sees half of it."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
