"""What is loaded into the bot's process: standard library only, quick to start, leaves no names.

``sitecustomize.py`` is found by ``PYTHONPATH`` and loads the other modules of this folder under
the name ``_perfscan_agent``; perfscan itself imports them as ``perfscan.replay.agent``.
"""
