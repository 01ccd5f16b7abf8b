"""The machine of the service: what its other users may not do, and what its operator learns."""

import os
from pathlib import Path

import pytest

from readstate.settings import Settings, SettingsError
from tests.support.processes import ServiceProcess, run_command
from tests.support.servers import short_directory


@pytest.mark.parametrize("above", ["parent", "parent/of/a/parent"])
def test_a_data_directory_that_others_could_replace_is_refused(tmp_path: Path, above: str) -> None:
    """Who may write a directory may rename its entries, without rights to them."""
    (tmp_path / above).mkdir(parents=True)
    (tmp_path / "parent").chmod(0o777)
    expected = f"every user of this machine may write {tmp_path}/parent, and so may replace {tmp_path}/{above}/data"
    with pytest.raises(SettingsError, match=expected):
        Settings(data_dir=str(tmp_path / above / "data")).resolve()


def test_a_link_is_followed_to_where_the_data_are(tmp_path: Path) -> None:
    for name in ("safe", "open"):
        (tmp_path / name).mkdir()
    (tmp_path / "open" / "data").mkdir(mode=0o700)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "safe" / "data").symlink_to(tmp_path / "open" / "data")
    with pytest.raises(SettingsError, match=f"chmod o-w {tmp_path}/open"):
        Settings(data_dir=str(tmp_path / "safe" / "data")).resolve()


def test_a_directory_like_tmp_is_a_safe_parent(tmp_path: Path) -> None:
    """Its sticky bit lets users add entries and change only their own."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    resolved = Settings(data_dir=str(tmp_path / "shared" / "data")).resolve()
    assert resolved.data_dir == str(tmp_path / "shared" / "data")
    assert (tmp_path / "shared" / "data").stat().st_mode & 0o777 == 0o700


def test_serve_does_not_start_where_others_could_replace_its_data(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    done = run_command("serve", settings={"data_dir": tmp_path / "open" / "data", "port": 0})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("readstate: every user of this machine may write")
    assert not list((tmp_path / "open" / "data").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is told")
def test_root_is_told_that_it_need_not_be() -> None:
    with short_directory() as directory:
        with ServiceProcess(directory / "data") as process:
            pass
        assert len([line for line in process.logged if "running as root" in line]) == 1
