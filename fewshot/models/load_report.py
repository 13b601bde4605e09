"""What transformers reports of a model that it has loaded, less what is as it should be."""

import contextlib
import logging
import re
from collections.abc import Iterator

LOGGER = "transformers.modeling_utils"
TITLE = "LOAD REPORT"
WRONG = ("MISSING", "MISMATCH", "CONVERSION")
LAYER = re.compile(r"\.(\d+|\{[^}]*\d[^}]*\})\.")  # of a weight's name: 'layers.3.', 'layers.{3, 4}.'


@contextlib.contextmanager
def without_heads() -> Iterator[None]:
    """Leaves reports out that name nothing but weights of a head: a model of states has no place for them.

    Whatever else transformers says is shown: weights that are missing, of another shape, or of layers that
    the configuration does not count.
    """
    logger = logging.getLogger(LOGGER)
    logger.addFilter(_says_more)
    try:
        yield
    finally:
        logger.removeFilter(_says_more)


def _says_more(record: logging.LogRecord) -> bool:
    title, _, table = record.getMessage().partition("\n")
    return TITLE not in title or any(word in table for word in WRONG) or bool(LAYER.search(table))
