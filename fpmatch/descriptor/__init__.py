"""Template -> fixed-size binary codes: the search form."""

from fpmatch.descriptor.encode import encode
from fpmatch.descriptor.search_template import (
    COLUMNS,
    PackedTemplates,
    SearchTemplate,
    check_form,
    pack,
)

__all__ = ["COLUMNS", "PackedTemplates", "SearchTemplate", "check_form", "encode", "pack"]
