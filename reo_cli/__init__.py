"""Upload aggregated telemetry events to Reo.Dev's Product Usage API, each one once."""

__version__ = "0.1.0"
