"""The installation's name: made once, the same for every process, and never replaced by a new one in silence."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libs.kit.errors import ConfigurationError
from libs.kit.installation import installation_name


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "state" / "installation"
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: installation_name(path), range(32)))
    assert names == {installation_name(path)}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["installation"]


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe"])
def test_a_damaged_name_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "installation"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="PERPSTREAM_INSTALLATION_FILE"):
        installation_name(path)
    assert path.read_bytes() == content
