"""The field guide: the few visual marks a network keys on, in words and pictures, proved by intervention."""

from importlib.util import find_spec

from fieldmark.errors import FieldmarkError

_MISSING = [name for name in ("cv2", "scipy") if find_spec(name) is None]
if _MISSING:
    raise FieldmarkError(f"a field guide needs {' and '.join(_MISSING)}: pip install 'fieldmark[guide]'")

from fieldmark.guide.guide import FieldGuide as FieldGuide  # noqa: E402
