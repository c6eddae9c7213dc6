"""What the scripts that set up and test do to the files of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_no_script_gives_the_files_of_another_machine_to_us() -> None:
    """Beside what a script makes lie trees of other machines, whose users own files."""
    scripts = [ROOT / "test.sh", ROOT / "run.sh", *(ROOT / "scripts").glob("*.sh")]
    recursive = [line for script in scripts for line in script.read_text().splitlines() if "give_to_owner --recursive" in line]
    assert recursive
    assert [] == [line for line in recursive if re.search(r"%/\*}\"(?!/)|\.setup\"", line)]


def sourced(checkout: Path, words: str, *by: str, **env: str) -> str:
    """What a shell prints that has sourced scripts/setup.sh of this checkout."""
    command = [*by, "/bin/bash", "-c", f"set -euo pipefail; source {checkout}/scripts/setup.sh; {words}"]
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(checkout.parent / "no-home"), **env}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=path).stdout.strip()


@pytest.fixture
def checkout() -> Generator[Path]:
    """A checkout that its reader cannot write, in a folder that any user can enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "scripts", Path(folder, "tree", "scripts"))
        for each in (Path(folder), Path(folder, "tree")):
            each.chmod(0o755 if each.name != "tree" else 0o555)
        yield Path(folder, "tree")
        Path(folder, "tree").chmod(0o755)


# Both use the same place in /tmp, so one worker runs them
one_after_the_other = pytest.mark.xdist_group("places in /tmp")
AS_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all")


@one_after_the_other
@pytest.mark.needs("root", "setpriv")
def test_who_cannot_write_a_checkout_has_a_place_of_their_own(checkout: Path) -> None:
    home = checkout.parent / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    own = sourced(checkout, 'echo "$STATE"', *AS_USER, HOME=str(home))
    assert own.startswith(f"{home}/.cache/agentsight-rx/checkout-")
    assert own == sourced(checkout, 'echo "$STATE"', *AS_USER, HOME=str(home)), "the same each time"
    home.chmod(0o500)
    shutil.rmtree(home / ".cache")
    assert sourced(checkout, 'echo "$STATE"', *AS_USER, HOME=str(home), TMPDIR="/tmp").startswith("/tmp/agentsight-rx-65534/")
    shutil.rmtree("/tmp/agentsight-rx-65534")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "agentsight-rx").touch(0o755)
    assert str(checkout) == sourced(checkout, 'echo "$STATE"', *AS_USER, HOME=str(home)), "what its owner set up is used"


@one_after_the_other
@pytest.mark.needs("root", "setpriv")
def test_a_folder_that_another_user_made_first_is_no_place_of_ours(checkout: Path) -> None:
    trap = Path("/tmp/agentsight-rx-65534")
    trap.mkdir(mode=0o777)
    trap.chmod(0o777)
    try:
        assert str(checkout) == sourced(checkout, 'echo "$STATE"', *AS_USER)
    finally:
        shutil.rmtree(trap)


def test_without_rights_neither_bcc_nor_packages_are_asked_for(checkout: Path) -> None:
    words = 'echo "$(captures && echo captures) $(installs && echo installs) ${PACKAGES[*]}"'
    if os.geteuid():
        assert "" == sourced(ROOT, words)
    elif shutil.which("setpriv"):
        assert "" == sourced(checkout, words, *AS_USER)
        assert "" == sourced(checkout, words, "setpriv", "--bounding-set=-all", "--inh-caps=-all"), "root without capabilities"
