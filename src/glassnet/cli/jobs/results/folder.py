"""The folder of a job's results, exchanged as a whole; the earlier results stay in a folder beside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from glassnet.cli.jobs.results.record import FORMAT, RECORD, environment
from glassnet.errors import FileError, GlassnetError
from glassnet.experiments.library import SETTINGS
from glassnet.utils import folders
from glassnet.utils.paths import explain
from glassnet.utils.storage import atomic_write, results_folder, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID_ENDINGS = (
    *(".csv", ".json", "-summary.csv", "-curves.csv", "-predictions.csv"),
    *("-best.safetensors", "-refit.safetensors"),
    *("-heatmap.png", "-losses.png", "-parallel.png"),
)
"""How the names of a grid's files go on after the grid's name."""

CHECKPOINT = "checkpoint.safetensors"
"""The file that follows training, in a folder of its own."""

_STAGE = "unfinished-"

_WITHIN = "earlier"
"""How folders of earlier results begin that can have no place but within the folder."""

_MANY = 10
"""From how many folders of earlier results on a job says how much room they take."""

New = Callable[[str], Path]
"""The path to write a new file of some name to."""


class ResultsFolder:
    """A folder of results, and within it the new ones until they are complete.

    Used as a context: files are written to ``folder.new(name)``, and `commit` exchanges the whole folder
    for one with the new files, and with all files that no job wrote, in one step and flushed to the disk.
    The earlier results are then in a folder beside, ``NAME.1``, ``NAME.2`` and so on, the highest number
    the latest; with `keep_earlier` False they are removed. Where the block fails, they stay as they were;
    a file in `keep` that is among the new ones stays in a folder that the error names, and where it could
    not be written, `rescue` writes it elsewhere. What killed jobs left there is removed, checkpoints
    apart: see `follow` and `unfinished`.

    An earlier job's files are those that it lists and that have names a job may give: `names`, `known`,
    and those of grids. Where the system cannot exchange folders, and in the current folder, they get a
    second name in the folder beside, or else in ``earlier.1`` within, and files are moved one by one, the
    record last.

    Raises FileError at once where the folder cannot be written, where it holds files of a name in
    `names` that no job wrote, and where there is less room on the disk than `needed` bytes.
    """

    rescue: Callable[[New], object] | None = None
    """Writes what is worth keeping anew, to the paths that its argument gives."""

    run: object = None
    """What an error carries as its attribute `run`, where it has none."""

    _set_aside: Path | None
    """Where the earlier results are, once there are new ones."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: Iterable[str],
        needed: int,
        keep: Iterable[str] = (),
        known: Iterable[str] = (),
        keep_earlier: bool = True,
    ) -> None:
        self._keep_earlier, self._set_aside = keep_earlier, None
        self._is_new, self._keep = not os.path.lexists(path), set(keep)
        self.path = results_folder(path)
        self._real = Path(os.path.realpath(self.path))
        self._beside = f".{self._real.name[:200]}.{_STAGE}"
        folders.remove_abandoned(self._real, _STAGE, [CHECKPOINT])
        folders.remove_abandoned(self._real.parent, self._beside)
        names = [*names, RECORD]
        self._known = {*names, *known, SETTINGS}
        self._look()
        foreign = [n for n in names if n not in self._earlier and os.path.lexists(self.path / n)]
        if foreign:
            raise FileError(
                f"{self.path / foreign[0]} would be replaced, but no earlier run wrote it. "
                f"Choose another folder (--results), or move the file away."
            )
        _require_room(self.path, needed)
        self._stage = self.path / f"{_STAGE}{secrets.token_hex(4)}"
        self._asked: set[str] = set()
        self._use: folders.InUse | None = None
        self._followed: Path | None = None
        self._use_followed: folders.InUse | None = None

    def _look(self) -> None:
        """Read the record of the results that are there now."""
        self._earlier_record = _read_record(self.path)
        self._earlier = _earlier(self.path, self._earlier_record, set(self._known))

    def __enter__(self) -> ResultsFolder:
        return self

    def follow(self) -> Path:
        """A new folder for a checkpoint of the job, which is removed once the results are there.

        A kill leaves it to `unfinished`.
        """
        followed = self.path / f"{_STAGE}{secrets.token_hex(4)}"
        try:
            followed.mkdir()
            self._use_followed = folders.InUse(followed)
        except OSError as error:
            raise FileError(f"{followed} cannot be made: {explain(error, True)}.") from error
        self._followed = followed
        return followed

    def unfinished(self) -> list[Path]:
        """The folders of jobs that were cut off, with a run and its settings, the latest last."""
        left = []
        for entry in self._real.glob(f"{_STAGE}*"):
            files = [entry / name for name in (*self._keep, CHECKPOINT) if (entry / name).is_file()]
            whole = files and (entry / SETTINGS).is_file()
            if whole and not entry.is_symlink() and not folders.is_in_use(entry):
                left.append((max(file.stat().st_mtime for file in files), self.path / entry.name))
        return [path for _, path in sorted(left)]

    def new(self, name: str) -> Path:
        """The path to write a file to, until all are complete."""
        try:
            if not self._stage.is_dir():
                self._stage.mkdir(parents=True)  # the folder itself may have been removed meanwhile
                self._let_go()
                self._use = folders.InUse(self._stage)
        except OSError as error:
            raise FileError(f"{self._stage} cannot be made: {explain(error, True)}.") from error
        self._asked.add(name)
        return self._stage / name

    def earlier(self) -> Iterator[tuple[str, str]]:
        """A label and a sentence on where the earlier results are, and on how much room they take."""
        record = _record(self._earlier_record)
        data = _record(_record(record.get("settings")).get("data"))
        source = Path(str(data.get("file") or data.get("generator") or record.get("name"))).name
        those = f"the results of {source}, finished {record.get('finished')}"
        if self._set_aside is None:
            if record and self._earlier:
                yield "replaced", those
            return
        place = self._set_aside
        if place.parent == self._real:
            place = self.path / place.name
        elif not self.path.is_symlink():
            place = self.path.parent / place.name
        yield "earlier", f"{those}, are in {place}"
        stem = place.with_suffix("")
        folders_kept = [path for _, path in folders.numbered(self._set_aside.with_suffix(""))]
        if len(folders_kept) >= _MANY:
            sizes = [entry.stat().st_size for folder in folders_kept for entry in folder.glob("*")]
            yield (
                "",
                f"{len(folders_kept)} such folders, {stem}.*, take {sum(sizes) / 1e6:,.0f} MB: remove "
                f"those that you need no more. With --replace none is left.",
            )

    @property
    def written(self) -> list[str]:
        """The new files so far."""
        if not self._stage.is_dir():
            return []
        return sorted(entry.name for entry in self._stage.iterdir() if not entry.name.startswith("."))

    def save_picture(self, name: str, figure: Figure) -> None:
        """Write a picture, whole or not at all: Ctrl-C leaves out the rest of the pictures."""
        with atomic_write(self.new(name)) as temporary:
            figure.savefig(temporary, dpi=figure.dpi)

    def commit(self, document: Mapping[str, Any]) -> list[str]:
        """Write the record, and put the new files in the place of the earlier job's; return their names.

        `document` is its content, to which this adds the machine and the list of the files.
        """
        content = {"format": FORMAT, **document, **environment(), "files": [*self.written, RECORD]}
        write_json(self.new(RECORD), content)
        names = sorted(self.written, key=lambda name: name == RECORD)
        if lost := sorted(self._keep & self._asked - set(names)):
            raise FileError(f"{self._stage / lost[0]} was removed before all results were written.")
        folders.flush(self._stage, names)
        self._look()  # another job may have ended here meanwhile
        if not self._exchanged(names):
            if self._keeps:
                self._set_aside = self._copied()
            for name in self._earlier - set(names):
                with contextlib.suppress(FileNotFoundError):
                    (self.path / name).unlink()
            for name in names:  # the record last: until then the earlier one lists what is to be removed
                (self._stage / name).replace(self.path / name)
            folders.flush(self._real)
            folders.remove(self._stage)
        if self._followed is not None:
            for place in filter(None, (self._real, self._set_aside)):
                folders.remove(place / self._followed.name)
        return names

    @property
    def _keeps(self) -> bool:
        """Whether there are earlier results to keep."""
        return self._keep_earlier and bool(self._earlier)

    def _copied(self) -> Path:
        """Give the earlier files a second name in a folder of their own; its path."""
        copy = self._real / f"{_STAGE}{secrets.token_hex(4)}"
        try:
            copy.mkdir()
            use = folders.InUse(copy)
            try:
                for name in sorted(self._earlier):
                    with contextlib.suppress(FileNotFoundError):  # a job was killed that removed it
                        folders.link_or_copy(self.path / name, copy / name)
                folders.flush(copy, self._earlier)
                here, places = Path(os.path.realpath(".")), [self._real, self._real / _WITHIN]
                for place in places[here == self._real or self._real in here.parents :]:
                    with contextlib.suppress(OSError):
                        copy = folders.to_next_number(copy, place)
                        (copy / folders.MARK).unlink(missing_ok=True)
                        return copy
            finally:
                use.end()
        except OSError as error:
            folders.remove(copy)
            raise FileError(
                f"The earlier results in {self.path} cannot be put aside: {explain(error, True)}. Make "
                f"room, or give --replace to do without them."
            ) from error
        folders.remove(copy)
        raise FileError(f"The earlier results in {self.path} cannot be put aside. Choose another folder.")

    def _exchanged(self, names: list[str]) -> bool:
        """Exchange the folder for the new one, if the system can."""
        use, stage, here = self._use, self._real / self._stage.name, Path(os.path.realpath("."))
        if use is None or here == self._real or self._real in here.parents:
            return False  # whoever stands in the folder would be left in the earlier one
        beside = self._real.parent / f"{self._beside}{secrets.token_hex(4)}"
        keeps = self._keeps
        ours = {*names, *self._earlier, stage.name, folders.MARK}
        ours |= set() if self._followed is None else {self._followed.name}
        linked: list[Path] = []
        exchanged = False
        try:
            for entry in self._real.iterdir():
                if entry.name not in ours:
                    linked.append(stage / entry.name)
                    folders.link(entry, stage / entry.name)
            shutil.copymode(self._real, stage)
            if keeps:
                beside = folders.to_next_number(stage, self._real)
            else:
                use.also(stage, self._real)
                stage.rename(beside)
            exchanged = folders.exchange(beside, self._real)
            if not exchanged:
                beside.rename(stage)
        except OSError:  # no links there, no permission above the folder, or another file system
            pass
        with contextlib.suppress(OSError):
            (self._real / folders.MARK).unlink(missing_ok=True)
        if not exchanged:
            for extra in linked:
                folders.remove_entry(extra)
            return False
        folders.flush(self._real)
        folders.flush(self._real.parent)
        for entry in beside.iterdir():
            if entry.name not in ours:
                folders.put_back(entry, self._real / entry.name)
                if keeps:
                    folders.remove_entry(entry)
        if keeps:
            self._set_aside = beside
        else:
            folders.remove(beside)
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is not None:
                self._fail(error)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        for use in filter(None, (self._use, self._use_followed)):
            use.end()

    def _fail(self, error: BaseException) -> None:
        kept: Path | None = self._stage
        if not self._keep & set(self.written):
            kept = None if self.rescue is None else self._rescued(self.rescue)
        if self._followed is not None:
            if kept is None and (self._followed / CHECKPOINT).exists():
                kept = self._followed
            else:
                folders.remove(self._followed)
        if kept != self._stage:
            folders.remove(self._stage)
            if self._is_new:
                with contextlib.suppress(OSError):
                    self.path.rmdir()  # where nothing else is in it
        if kept is None:
            if self.rescue is None:
                return
            words = "What was computed could be written to no other place either, and is lost."
        else:
            (kept / folders.MARK).unlink(missing_ok=True)
            files = sorted(entry.name for entry in kept.iterdir() if not entry.name.startswith("."))
            earlier = " The earlier results are untouched." if self._earlier else ""
            words = f"What was written before is in {kept}: {', '.join(files)}.{earlier}"
        said = error
        if isinstance(error, GlassnetError):
            said = type(error)(f"{error} {words}")
        elif isinstance(error, KeyboardInterrupt):
            said = KeyboardInterrupt(words)
        if (run := getattr(error, "run", self.run)) is not None:
            said.run = run  # type: ignore[attr-defined]
        if said is not error:
            raise said from error
        error.add_note(words)

    def _rescued(self, rescue: Callable[[New], object]) -> Path | None:
        """Where `rescue` could write: here, among temporary files or at home."""

        def elsewhere(folder: Path) -> Path:
            return Path(tempfile.mkdtemp(prefix=f"glassnet-{self._real.name[:200]}-", dir=folder))

        places: list[Callable[[], Path]] = [
            lambda: self.new(RECORD).parent,
            lambda: elsewhere(Path(tempfile.gettempdir())),
            lambda: elsewhere(Path.home()),
        ]
        folders.remove(self._stage)  # makes room
        for place in places:
            with contextlib.suppress(OSError, FileError, RuntimeError):
                folder = place()
                try:
                    rescue(partial(Path.joinpath, folder))
                except BaseException:
                    folders.remove(folder)
                    raise
                return folder
        return None


def newest(folder: Path) -> Path:
    """The folder of the newest results: ``results/NAME`` for ``results/NAME.3``, else itself."""
    place = folder.parent if folder.stem == _WITHIN else folder.with_suffix("")
    kept = folder.suffix[1:].isdecimal() and (place / RECORD).exists()
    return place if kept else folder


def _read_record(path: Path) -> Any:
    """The record of an earlier job; None where there is none."""
    try:
        return json.loads((path / RECORD).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _earlier(path: Path, record: Any, known: set[str]) -> set[str]:
    """The files that the record of an earlier job lists, as far as a job writes files of such names."""
    try:
        known |= {f"{grid}{ending}" for grid in record.get("grids") or () for ending in GRID_ENDINGS}
        names = {name for name in record["files"] if name in known and Path(name).name == name}
        return {name for name in names if not (path / name).is_dir()} | {RECORD}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _require_room(path: Path, needed: int) -> None:
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        return  # some file systems do not say
    if free < needed:
        raise FileError(
            f"The disk of {path} has {free / 1e6:,.1f} MB free, and the results take about "
            f"{needed / 1e6:,.1f} MB. Make room first, for instance by removing earlier results "
            f"({path}.1 and so on), or choose another folder (--results)."
        )
