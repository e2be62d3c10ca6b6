"""Text files that users write: read whole, but never more than they may hold."""

from __future__ import annotations

from pathlib import Path

from linkvla.model.interface.errors import ConfigurationError


def read_text(path: Path, most: int, what: str) -> str:
    """The text of a file of at most ``most`` bytes; ``what`` it should be, for the message.

    Raises:
        ConfigurationError: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise ConfigurationError(f"the {what} {path} cannot be read: {error.strerror}; name another file") from error
    if len(raw) > most:
        raise ConfigurationError(f"{path} has more than {most} bytes; is it a {what}?")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
