"""Media files: which kind one is, judged by its content, and the file without personal metadata.

`clean` returns a plan of the file to keep; pixels and sound are copied, never encoded anew. Each
family of containers has its module; all of them keep what they know to be needed and drop the rest,
so metadata of a kind that no one has thought of yet is dropped as well.
"""

from models.media.cleaning import clean
from models.media.source import Buffer, Cleaned, Malformed, NotMedia

__all__ = ["Buffer", "Cleaned", "Malformed", "NotMedia", "clean"]
