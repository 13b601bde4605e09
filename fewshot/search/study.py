"""The trials of a search in Optuna's storage, which workers share."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from fewshot.errors import InputError, listing
from fewshot.search.settings import Search
from fewshot.search.space import Space

TRIES = 10  # at a database whose tables are just being made
BUSY = 60  # seconds that a worker waits for another one's write
GRACE = 10  # seconds after which the lock of a worker that died while writing to a journal is broken
JOURNAL = ".journal"

optuna.logging.set_verbosity(optuna.logging.ERROR)


def open_storage(url: str) -> BaseStorage:
    """The storage at a database URL (sqlite, PostgreSQL, MySQL), or a journal file (`name.journal`).

    Raises:
        InputError: neither of them, or one that cannot be opened.
    """
    try:
        if url.endswith(JOURNAL) and "://" not in url:
            path = Path(url).resolve()  # its lock is a link to the path as given, read from elsewhere
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = JournalFileSymlinkLock(str(path), grace_period=GRACE)
            return JournalStorage(JournalFileBackend(str(path), lock))
        if "://" not in url:
            raise ValueError("no URL of a database")
        if url.startswith("sqlite"):
            return _locking(_with_tables(url, {"connect_args": {"timeout": BUSY}}))
        return _with_tables(url, {"pool_pre_ping": True})
    except Exception as error:  # of the database's own driver: there is no common class
        raise InputError(
            "the storage cannot be opened",
            where="--storage",
            got=f"{public(url)}: {str(error).splitlines()[0].replace(url, public(url))}",
            needed="sqlite:///FILE.db, the URL of a database whose driver is installed, or a FILE.journal",
        ) from error


def _with_tables(url: str, options: Mapping[str, Any]) -> RDBStorage:
    """The database with its tables, which another worker may be making at the same moment."""
    for left in reversed(range(TRIES)):
        try:
            return RDBStorage(url, engine_kwargs=dict(options))
        except sqlalchemy.exc.DBAPIError as error:
            made_meanwhile = isinstance(error, sqlalchemy.exc.IntegrityError) or "exist" in str(error)
            if not made_meanwhile or not left:
                raise
            time.sleep(0.2)
    raise AssertionError("the last try returns or raises")


def _locking(storage: RDBStorage) -> RDBStorage:
    """SQLite locks when it first writes; Optuna takes a waiting trial by reading it, then writing."""

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # sqlite3 begins no transactions of its own

    def begun(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sqlalchemy.event.listen(storage.engine, "connect", connected)
    sqlalchemy.event.listen(storage.engine, "begin", begun)
    storage.engine.dispose()  # connections from before
    return storage


def public(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def open_study(
    storage: BaseStorage, name: str, identity: Mapping[str, Any], pruner: BasePruner
) -> optuna.Study:
    """The study of a search, made if it is not there.

    Args:
        storage: where.
        name: which.
        identity: what makes trials comparable; all workers must have the same.
        pruner: what ends trials early.

    Raises:
        InputError: the storage holds another search under this name.
    """
    study = optuna.create_study(storage=storage, study_name=name, pruner=pruner, load_if_exists=True)
    recorded = study.user_attrs.get("identity")
    if recorded is None:
        if study.get_trials(deepcopy=False):
            raise _other(name, "trials of another program")
        study.set_user_attr("identity", dict(identity))
    elif recorded != identity:
        changed = _differences("", recorded, dict(identity))
        raise _other(name, f"one that differs in {listing(changed)}")
    return study


def _other(name: str, what: str) -> InputError:
    return InputError(
        "the storage holds another search",
        where=f"study {name!r}",
        got=what,
        needed="the same configuration, space, sampler and seed in all workers and when a search goes on",
        fix="take another --storage, --study or --out for another search",
    )


def _differences(place: str, old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(old.keys() | new.keys())
        return [
            found
            for name in names
            for found in _differences(f"{place}.{name}".lstrip("."), old.get(name), new.get(name))
        ]
    return [] if old == new else [place]


def make_sampler(settings: Search, slot: int, space: Space) -> BaseSampler:
    """The sampler of one trial; its generator depends on seed and slot alone.

    Bergstra, Bengio: Random Search for Hyper-Parameter Optimization, 2012. Bergstra et al.: Algorithms for
    Hyper-Parameter Optimization, 2011 (TPE). Hansen, Ostermeier: Completely Derandomized Self-Adaptation in
    Evolution Strategies, 2001 (CMA-ES).

    Raises:
        InputError: CMA-ES where it cannot work.
    """
    seed = int(np.random.SeedSequence([settings.seed, slot]).generate_state(1)[0])
    if settings.sampler == "tpe":
        return TPESampler(seed=seed, n_startup_trials=5)
    if settings.sampler == "cmaes":
        choices = [parameter.name for parameter in space.parameters if parameter.choices]
        if choices:
            raise InputError(
                "CMA-ES searches numbers alone",
                where="--sampler cmaes",
                got=f"choices: {listing(choices)}",
                needed="ranges",
                fix="take --sampler tpe, or leave the choices out",
            )
        return CmaEsSampler(seed=seed, n_startup_trials=2, warn_independent_sampling=False)
    return RandomSampler(seed=seed)


def make_pruner(settings: Search, every: int) -> BasePruner:
    """The pruner; `every` is the number of outer steps between two validations.

    Jamieson, Talwalkar: Non-stochastic Best Arm Identification and Hyperparameter Optimization, 2016, in
    the asynchronous form of Li et al.: A System for Massively Parallel Hyperparameter Tuning, 2020 (halving).
    """
    if settings.sampler == "cmaes":
        return NopPruner()  # it learns from trials that come to their end
    if settings.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=every, reduction_factor=3)
    return MedianPruner(n_startup_trials=3, n_min_trials=3) if settings.pruner == "median" else NopPruner()
