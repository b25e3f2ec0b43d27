"""The annotation store of a team: OBDB's database in MongoDB, read and written as it is.

A MongoDB that stands alone has no transactions. So each state of a task has a name of its own, its ``generation``: the
documents of a new one are put beside those of the old one, then one change of the task's entry makes the new one count,
and then the old ones go. Readers look at what counts alone, so whenever a writer is killed they see all of the one or
all of the other. What a killed writer has left is removed by the next one. Tasks that OBDB has written have no
generation: their documents are those without one.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from vitruve.annotation.store.backend import FORMAT, Counted, StoredTask, stored_task
from vitruve.annotation.store.documents import Json, TaskDocuments, tally
from vitruve.errors import InputError, MissingExtraError, ServerError

PASSWORD_VARIABLE = "VITRUVE_MONGO_PASSWORD"
"""Environment variable with the password of the user that an address names."""

_DATABASE = "annotations"
_AT_ONCE = 5000
_LEASE = 60.0
_OWN_KEYS = ("_id", "generation", "counts")


class MongoBackend:
    """Documents in MongoDB.

    Args:
        address: ``mongodb://[user[:password]@]host[:port][/database][?options]``; the database is ``annotations``, and
            so is ``authSource`` where there is a user.
        create: Make collections and indexes where they are missing.
        timeout: Seconds until an answer.

    Raises:
        InputError: The address is none, or the store is one of a newer program.
        ServerError: The server cannot be reached or lets us not in.
        MissingExtraError: pymongo is not installed.
    """

    def __init__(self, address: str, create: bool = False, timeout: float = 10.0) -> None:
        try:
            import pymongo
        except ImportError as error:
            raise MissingExtraError("pymongo", "mongo", "an annotation store in MongoDB") from error
        self.address = shown_address(address)
        database, options = _options(address)
        self._timeout = timeout
        self._owner = {"owner": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
        with self._explained():
            self._client: Any = pymongo.MongoClient(
                options.pop("address"),
                serverSelectionTimeoutMS=int(timeout * 1000),
                connectTimeoutMS=int(timeout * 1000),
                # Counting a million shapes on a busy server takes its time.
                socketTimeoutMS=int(timeout * 10_000),
                w=1,
                journal=True,
                **options,
            )
            self._base = self._client[database]
            self._tasks, self._meta, self._data = (self._base[name] for name in ("tasks", "meta", "annotation_data"))
            self._about = self._base["vitruve"]
            self._prepare(create)

    def _prepare(self, create: bool) -> None:
        found = self._about.find_one({"_id": "store"}) or {}
        if int(found.get("version", FORMAT)) > FORMAT:
            raise InputError(
                f"{self.address}: an annotation store of format {found['version']}, and this program knows {FORMAT}: "
                "it was written by a newer one; update Vitruve"
            )
        if not create or found.get("version"):
            return
        self._tasks.create_index("name")
        # One entry a task of the server, whoever writes; OBDB's have no number.
        numbered = {"task_id": {"$exists": True}}
        self._tasks.create_index("task_id", unique=True, partialFilterExpression=numbered)
        self._meta.create_index("task_name")
        self._meta.create_index("generation")
        self._data.create_index([("task_name", 1), ("img_path", 1)])
        self._data.create_index("object_class")
        self._data.create_index([("generation", 1), ("task_name", 1)])
        self._about.update_one({"_id": "store"}, {"$set": {"version": FORMAT}}, upsert=True)

    def tasks(self) -> list[StoredTask]:
        """As :meth:`Backend.tasks`."""
        with self._explained():
            found = self._tasks.find({}, {"labels": 0}).sort("_id", 1)
            return [stored_task(item["_id"], item) for item in found]

    def read(self, task: StoredTask) -> TaskDocuments:
        """As :meth:`Backend.read`."""
        # A writer removes what has been replaced: then what counts now is read.
        while True:
            with self._explained():
                about = self._tasks.find_one({"_id": task.key})
                if about is None:
                    raise InputError(f"{self.address}: task {task.name} is not there any more")
                state = stored_task(task.key, about)
                where = _state(state)
                meta = self._meta.find_one(where) or {}
                # In the order in which they were written, whatever index the server goes by.
                entries = sorted(self._data.find(where), key=lambda item: str(item["_id"]))
                after = self._tasks.find_one({"_id": task.key}, {"generation": 1}) or {}
            if after.get("generation") == state.generation:
                if "counts" in about and len(entries) != sum(number for *_, number in about["counts"]):
                    raise InputError(
                        f"{self.address}: task {task.name}: another program has changed what is drawn in it; sync or "
                        "import the task again"
                    )
                return TaskDocuments(_plain(about), _plain(meta), [_plain(item) for item in entries])

    def write(self, documents: TaskDocuments, replaces: StoredTask | None) -> None:
        """As :meth:`Backend.write`."""
        mark = {"generation": uuid.uuid4().hex}
        counts = [[*pair, number] for pair, number in tally(documents.annotations).items()]
        about = {**documents.task, **mark, "counts": counts}
        with self._explained():
            self._meta.insert_one({**documents.meta, **mark})
            entries = ({**item, **mark} for item in documents.annotations)
            while batch := list(islice(entries, _AT_ONCE)):
                self._data.insert_many(batch, ordered=False)
                self._renew()
            self._renew()
            number = documents.task.get("task_id")
            which: Json = {"task_id": number} if replaces is None else {"_id": replaces.key}
            if replaces is None and number is None:
                self._tasks.insert_one(about)
                return
            before = self._tasks.find_one_and_update(which, {"$set": about}, upsert=True)
            if before is not None:
                self._remove(_state(stored_task(before["_id"], before)))

    def counts(self) -> list[Counted]:
        """As :meth:`Backend.counts`.

        They are written with each state of a task: counting a million documents takes MongoDB several seconds.
        """
        counted, names = [], {}
        with self._explained():
            for item in self._tasks.find({}, {"name": 1, "generation": 1, "counts": 1}):
                if item.get("generation") is None:
                    names[item.get("name")] = item["_id"]
                counted += [Counted(item["_id"], name, kind, number) for name, kind, number in item.get("counts", ())]
            if names:
                counted += self._counted_by_name(names)
        return counted

    def _counted_by_name(self, names: Mapping[str, Any]) -> Iterator[Counted]:
        """Count what OBDB has written. Older documents have the kind under another key."""
        either = {"$ifNull": ["$shape_types", "$shape_type"]}
        about = {"task": "$task_name", "name": "$object_class", "kind": either}
        grouped = [{"$match": {"generation": None}}, {"$group": {"_id": about, "number": {"$sum": 1}}}]
        for item in self._data.aggregate(grouped):
            key = names.get(item["_id"].get("task"))
            if key is not None:
                name, kind = (str(item["_id"].get(part) or "") for part in ("name", "kind"))
                yield Counted(key, name, kind, int(item["number"]))

    def classes(self) -> list[str]:
        """As :meth:`Backend.classes`."""
        with self._explained():
            return list((self._about.find_one({"_id": "store"}) or {}).get("classes", ()))

    def add_classes(self, names: Sequence[str]) -> list[str]:
        """As :meth:`Backend.add_classes`."""
        with self._explained():
            for name in names:
                # One change a name: the order is that in which the server carries them out.
                self._about.update_one({"_id": "store"}, {"$addToSet": {"classes": name}}, upsert=True)
        return self.classes()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """As :meth:`Backend.writing`; what a killed writer has left is removed first.

        Raises:
            ServerError: Somebody else writes.
        """
        with self._explained():
            self._lock()
            self._tidy()
        try:
            yield
        finally:
            with self._explained():
                self._about.delete_one({"_id": "writer", "owner": self._owner["owner"]})

    def close(self) -> None:
        """As :meth:`Backend.close`."""
        self._client.close()

    def _lock(self) -> None:
        """Become the only writer, in the place of one that was killed, too."""
        from pymongo.errors import DuplicateKeyError

        mine = {**self._owner, "until": time.time() + _LEASE}
        holder = self._about.find_one({"_id": "writer"})
        if holder is not None and (holder["until"] < time.time() or _is_dead(holder)):
            self._about.delete_one({"_id": "writer", "owner": holder["owner"]})
        try:
            self._about.insert_one({"_id": "writer", **mine})
        except DuplicateKeyError:
            holder = self._about.find_one({"_id": "writer"}) or {}
            raise ServerError(
                f"{self.address}: process {holder.get('pid')} on {holder.get('host')} is writing to this store; wait "
                "until it has ended, or a minute after it was killed"
            ) from None

    def _renew(self) -> None:
        """Stay the only writer. Who has lost that must not make anything count: it may have been tidied away."""
        until = {"$set": {"until": time.time() + _LEASE}}
        if self._about.update_one({"_id": "writer", "owner": self._owner["owner"]}, until).matched_count != 1:
            raise ServerError(
                f"{self.address}: another process has begun to write to this store meanwhile; what was done before the "
                "task at hand stays, and the same command goes on from there"
            )

    def _tidy(self) -> None:
        """Remove documents of states that do not count: those that a killed writer has left."""
        counting = {task.generation for task in self.tasks()} - {None}
        for collection in (self._meta, self._data):
            for left in set(collection.distinct("generation")) - counting - {None}:
                collection.delete_many({"generation": left})

    def _remove(self, where: Json) -> None:
        self._data.delete_many(where)
        self._meta.delete_many(where)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Report in one line what fails; messages of pymongo may hold the password, so none of them is shown."""
        from pymongo import errors

        try:
            yield
        except errors.OperationFailure as error:
            if error.code in (13, 18, 8000):
                raise ServerError(
                    f"{self.address}: MongoDB refuses access; check user, password ({PASSWORD_VARIABLE}) and "
                    "authSource, and whether the user may read and write this database"
                ) from error
            raise ServerError(f"{self.address}: MongoDB refused ({error.code}: {_name(error)})") from error
        except errors.ServerSelectionTimeoutError as error:
            raise ServerError(
                f"{self.address}: MongoDB cannot be reached within {self._timeout:g} s; check the address, and whether "
                "it runs"
            ) from error
        except (errors.ConfigurationError, errors.InvalidURI, ValueError) as error:
            raise InputError(
                f"{self.address}: no address of MongoDB; it is mongodb://user@host:27017/annotations?options"
            ) from error
        except errors.ConnectionFailure as error:
            raise ServerError(
                f"{self.address}: the connection to MongoDB broke; run the same command again: it goes on from there"
            ) from error
        except errors.PyMongoError as error:
            raise ServerError(f"{self.address}: MongoDB failed ({type(error).__name__})") from error


def shown_address(address: str) -> str:
    """An address as it may be shown: without its password.

    Args:
        address: Any.

    Returns:
        The address.
    """
    head, mark, rest = address.partition("://")
    authority, slash, tail = rest.partition("/")
    access, at, hosts = authority.rpartition("@")
    user = access.partition(":")[0]
    return f"{head}{mark}{user}{at}{hosts}{slash}{tail.partition('?')[0]}"


def _options(address: str) -> tuple[str, dict[str, Any]]:
    """Name of the database, and what a client is made with."""
    try:
        parts = urlsplit(address)
        database = unquote(parts.path.strip("/")) or _DATABASE
        user, word = parts.username, parts.password
    except ValueError as error:
        raise InputError(f"{shown_address(address)}: no address of MongoDB; a port is a number") from error
    options: dict[str, Any] = {"address": address}
    if user and word is None:
        word = os.environ.get(PASSWORD_VARIABLE)
        if word is None:
            raise InputError(f"{shown_address(address)}: no password for {user}; set {PASSWORD_VARIABLE}")
        hosts = parts.netloc.rpartition("@")[2]
        options["address"] = parts._replace(netloc=f"{user}:{quote(word, safe='')}@{hosts}").geturl()
    if user and "authsource" not in parts.query.lower():
        options["authSource"] = database
    return database, options


def _state(task: StoredTask) -> Json:
    """Which documents are those of a task. OBDB looked for all whose names begin alike, and so took others' away."""
    if task.generation is not None:
        return {"generation": task.generation}
    return {"generation": None, "task_name": task.name}


def _plain(document: Mapping[str, Any]) -> Json:
    return {key: value for key, value in document.items() if key not in _OWN_KEYS}


def _is_dead(holder: Mapping[str, Any]) -> bool:
    if holder.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _name(error: Any) -> str:
    return str((error.details or {}).get("codeName") or type(error).__name__)
