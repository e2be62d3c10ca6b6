"""Errors of the server rooms. This room is an island, so they stand outside the ``LinkVLAError`` tree."""


class CarlaServerError(Exception):
    """A simulator could not be started, did not become ready, or died. The message is one line for the user."""


class PortError(CarlaServerError):
    """No usable port: the one that was asked for is taken, or none is free."""
