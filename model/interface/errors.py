"""The error tree of linkvla. Each message says what was got, what is allowed, and what to do.

    LinkVLAError
    ├── ConfigurationError     a setting or combination of settings that cannot work
    ├── CheckpointError        missing, damaged or mismatched weights
    ├── DataError              a recording that is damaged or not in the expected layout
    ├── ObservationError       a sensor frame that the model cannot take (shape, NaN)
    ├── RouteError             a route file or route that cannot be driven
    └── ServerError            the simulator is absent, dead, or refused the request

The command line prints the message on one line and exits with status 2.
"""


class LinkVLAError(Exception):
    """Root of all errors that linkvla raises on purpose."""


class ConfigurationError(LinkVLAError):
    """A setting, or a combination of settings, that cannot work."""


class CheckpointError(LinkVLAError):
    """Weights are missing, damaged, or do not match their configuration."""


class DataError(LinkVLAError):
    """A recording is damaged or not in the expected layout."""


class ObservationError(LinkVLAError):
    """A sensor frame cannot be used: wrong shape, wrong type, NaN."""


class RouteError(LinkVLAError):
    """A route file cannot be read, or a route cannot be driven on its town."""


class ServerError(LinkVLAError):
    """The simulator is absent, dead, or refused the request."""
