"""Started by ``site`` in the bot and in its Python subprocesses; steps out of the way at once."""


def _start() -> None:
    import os
    import sys

    folder = os.path.dirname(os.path.abspath(__file__))
    # The bot must not find this folder's modules under their plain names.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    package = type(sys)("_perfscan_agent")
    package.__path__ = [folder]
    sys.modules[package.__name__] = package
    __import__("_perfscan_agent.startup").startup.install()


def _continue_with_the_next() -> None:
    """Import the sitecustomize that this one hides, if there is one."""
    import sys

    own = sys.modules.pop(__name__)
    try:
        __import__(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, own)


if __name__ == "sitecustomize":
    _start()
    _continue_with_the_next()
del _start, _continue_with_the_next
