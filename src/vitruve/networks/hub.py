"""The hub that timm takes published weights from, asked without waiting where there is no connection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 5.0
_LOGGERS = ("huggingface_hub", "timm")


@contextmanager
def patient_for_seconds() -> Iterator[None]:
    """A block in which the hub is asked briefly and in silence.

    The hub's client tries each file six times, which takes minutes without a connection, and reports each attempt.
    Here the hub is asked once: if it does not answer, the client looks into its local cache alone.
    """
    from huggingface_hub import constants

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels, offline = [logger.level for logger in loggers], constants.HF_HUB_OFFLINE
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    constants.HF_HUB_OFFLINE = offline or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _answers(endpoint: str) -> bool:
    from huggingface_hub import get_session

    try:
        return int(get_session().head(endpoint, timeout=_SECONDS).status_code) < 500
    except Exception:  # the client's library, and with it the kind of its errors, differs between versions
        return False
