"""One rule a file, found by walking this package; registry.py says how to write one.

The file ``<name_with_underscores>.py`` holds one function decorated with ``@rule``; its docstring
is the manual. ``fixtures/rules/<name_with_underscores>.py`` (or a folder, for chains across files)
marks each line that must be reported with ``# PS123`` at its end; everything else must be silent,
and near misses outnumber hits, each with its reason in a comment. tests/analyzers/test_rules.py
runs both, and the two examples of the manual.
"""
