"""``auto_annotate.py``: OBDB's program for CVAT, under its name and with its options.

As there, of several options the first of ``-f -c -u -g -w -s -x -r`` counts. What changes a server is said first and
done with ``--apply``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from vitruve import api
from vitruve.annotation.cvat.server import CvatServer
from vitruve.errors import ConfigError, InputError
from vitruve.formats.json_file import read_json

_YES, _NO = ("true", "1", "yes", "y", "on"), ("false", "0", "no", "n", "off", "none", "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program.

    Args:
        arguments: Of the command line; None for those of this process.

    Raises:
        VitruveError: An option, a file or the server is not as it should be.
    """
    given = _parser().parse_args(arguments)
    done = _dispatch(given)
    for line in done.lines if done is not None else ():
        print(line)
    if done is not None and done.changes and not done.applied:
        print("nothing was changed: --apply does it")


def truth(text: str) -> bool:
    """What a word such as ``True`` says: ``-u False`` is no.

    Args:
        text: The word.

    Returns:
        Whether it is yes.

    Raises:
        argparse.ArgumentTypeError: It is neither.
    """
    if text.lower() in _YES + _NO:
        return text.lower() in _YES
    raise argparse.ArgumentTypeError(f"'{text}' is neither True nor False")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    yes: dict[str, Any] = {"type": truth, "nargs": "?", "const": True, "default": False, "metavar": "True"}
    parser.add_argument("-p", "--pickle_path", type=Path, help="label file, manifest or store; no pickle is read")
    parser.add_argument("-v", "--variant", default="resnet18", help="name of the network: <train_dir>/<variant>_model")
    parser.add_argument("-t", "--threshold", type=float, default=0.5, help="score of predictions that count")
    parser.add_argument("-i", "--iou", type=float, default=0.1, help="overlap with a label that counts as labelled")
    parser.add_argument(
        "-g", "--ground_truth", type=Path, help="upload ground truth (a label file, or with -p a folder)"
    )
    parser.add_argument("--upload_pkl", **yes, help="upload ground truth of -p")
    parser.add_argument("--class_map", help="key of the settings file that lists the classes")
    parser.add_argument("-r", "--rerun", metavar="TASK", help="look through one task only")
    parser.add_argument("-u", "--update", **yes, help="bring verified proposals to the ground truth")
    parser.add_argument("-m", "--match", metavar="TEXT", help="names of ground truth tasks hold this")
    parser.add_argument("-d", "--detected", metavar="TEXT", help="names of review tasks hold this")
    parser.add_argument("-x", "--xml", type=Path, metavar="FOLDER", help="upload a folder of CVAT's XML")
    parser.add_argument("-w", "--whatever", metavar="MODULE:FUNCTION", help="change tasks by a function of yours")
    parser.add_argument("-s", "--set_completed", **yes, help="set all tasks to completed")
    parser.add_argument("-f", "--folder", type=Path, help="annotate a folder of images, or a movie")
    parser.add_argument("--ext", default="", help="suffix of the images of -f and -c")
    parser.add_argument("--model_path", type=Path, help="run directory, in place of -v")
    parser.add_argument("--settings_file", type=Path, help="OBDB's settings")
    parser.add_argument("-c", "--crop", **yes, help="cut images of --src to --dst: lower half, middle half")
    parser.add_argument("--src", type=Path)
    parser.add_argument("--dst", type=Path)
    parser.add_argument("--train_dir", type=Path, default=Path("/train"), help="holds the networks")
    parser.add_argument("--output", type=Path, default=Path("/auto_annotation"), help="takes crops, tables, the trail")
    parser.add_argument("--images", type=Path, help="folder that names of images start from")
    parser.add_argument("--store", help="annotation store whose tasks are looked through")
    parser.add_argument(
        "--one_to_one", action="store_true", help="match by class and one to one, in place of OBDB's rules"
    )
    parser.add_argument("--share", **{**yes, "default": True}, help="images are on the server's share")
    parser.add_argument("--server", help="address of CVAT; by default VITRUVE_CVAT_URL")
    parser.add_argument("--apply", action="store_true", help="change the server; without, only say what would be done")
    return parser


def _dispatch(given: argparse.Namespace) -> Any:
    server = None if given.crop and given.folder is None else _server(given)
    if given.folder is not None:
        return _folder(given, server)
    if given.crop:
        return _crop(given)
    if given.update:
        return _update(given, server)
    if given.upload_pkl or given.ground_truth is not None:
        return _upload(given, server)
    if given.whatever is not None and given.whatever.lower() not in _NO:
        return api.change_tasks(given.whatever, apply=given.apply, server=server)
    if given.set_completed:
        return api.complete_tasks(pattern="", apply=given.apply, server=server)
    if given.xml is not None:
        return api.upload_xml(given.xml, images=given.images, apply=given.apply, server=server)
    return _propose(given, server)


def _server(given: argparse.Namespace) -> CvatServer | None:
    """The server, where one is needed: proposals from files are listed without."""
    listed = not (given.update or given.upload_pkl or given.ground_truth or given.whatever)
    listed = listed and not (given.set_completed or given.xml)
    return None if listed and not given.apply and _from_files(given) else CvatServer.connect(given.server)


def _from_files(given: argparse.Namespace) -> bool:
    return given.pickle_path is not None or given.folder is not None or given.store is not None


def _propose(given: argparse.Namespace, server: CvatServer | None) -> Any:
    tasks = [given.rerun] if given.rerun else []
    sources = [] if given.pickle_path is None else [given.pickle_path]
    if not (sources or tasks or given.store):
        raise InputError("give -p FILE (labels), -r TASK, or --store ADDRESS")
    return api.propose(
        _run(given),
        sources,
        tasks=tasks if not sources else (),
        only=tasks if sources else (),
        store=given.store,
        images=given.images,
        output=given.output,
        threshold=given.threshold,
        iou=None if given.one_to_one else given.iou,
        share=given.share and bool(server),
        crops=given.output / "imgs",
        variant=given.variant,
        apply=given.apply,
        server=server,
    )


def _folder(given: argparse.Namespace, server: CvatServer | None) -> Any:
    return api.propose(
        _run(given),
        [given.folder],
        output=given.output,
        threshold=given.threshold,
        iou=None if given.one_to_one else given.iou,
        suffix=given.ext,
        crops=given.output / "imgs",
        variant=given.variant,
        name=f"auto_annotation_{datetime.now():%Y_%m_%d_%H_%M_%S}",
        apply=given.apply,
        server=server,
    )


def _update(given: argparse.Namespace, server: CvatServer | None) -> Any:
    if not given.match or not given.detected:
        raise ConfigError("-u: give -m TEXT (names of ground truth tasks) and -d TEXT (names of review tasks)")
    return api.accept_proposals(
        given.match,
        given.detected,
        exact=not given.one_to_one,
        output=given.output,
        apply=given.apply,
        server=server,
    )


def _upload(given: argparse.Namespace, server: CvatServer | None) -> Any:
    # On OBDB's page -g names a folder of an earlier run, and -p the labels.
    source = given.pickle_path or given.ground_truth
    if source is None and given.store is None:
        raise InputError("--upload_pkl: give -p FILE (labels) or --store ADDRESS")
    return api.upload_labels(
        [] if source is None else [source],
        store=given.store,
        images=given.images,
        classes=_classes(given),
        share=given.share,
        apply=given.apply,
        server=server,
    )


def _classes(given: argparse.Namespace) -> tuple[str, ...]:
    """The class map of the settings, without the background that it begins with."""
    if given.class_map is None:
        return ()
    if given.settings_file is None:
        raise ConfigError(f"--class_map {given.class_map}: give --settings_file, which holds it")
    values = read_json(given.settings_file).get(given.class_map)
    if not isinstance(values, list) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{given.settings_file}: {given.class_map} must be a list of names")
    return tuple(name for name in values if name.lower() != "background")


def _crop(given: argparse.Namespace) -> None:
    if given.src is None or given.dst is None:
        raise ConfigError("-c: give --src FOLDER and --dst FOLDER")
    written = api.crop_images(given.src, given.dst, suffix=given.ext)
    print(f"{len(written)} images -> {given.dst}")


def _run(given: argparse.Namespace) -> Path:
    run: Path = given.model_path or given.train_dir / f"{given.variant}_model"
    if run.suffix in (".pth", ".pt"):
        raise InputError(f"{run}: holds code in a pickle, so it is not read; give the run directory of Vitruve")
    return run
