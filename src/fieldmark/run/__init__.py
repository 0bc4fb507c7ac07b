"""From one photograph to a million: any job over folders, tables and datasets, into Parquet shards; resumable.

`fieldmark.run(classifier, source, explainers, out=...)` is this module, called.
"""

import sys
from types import ModuleType
from typing import Any

from fieldmark.run.bulk import Options, Report, run, run_job
from fieldmark.run.jobs import Explain, Job, PerBatch
from fieldmark.run.sources import Shape, SourceOptions

__all__ = ["Explain", "Job", "Options", "PerBatch", "Report", "Shape", "SourceOptions", "run", "run_job"]


class _Called(ModuleType):
    """The package's function and this module share a name, and importing a module sets it on the package: so the
    module is what `fieldmark.run` always is, and calling it calls the function."""

    def __call__(self, *arguments: Any, **options: Any) -> Report:
        return run(*arguments, **options)


sys.modules[__name__].__class__ = _Called
