"""perfscan makes performance claims about bots provable."""

__version__ = "0.1.0"
