"""The former name of :mod:`.saved_file`, for existing scripts."""

from .saved_file import identify_file as identify_file
from .saved_file import read_checkpoint as read_checkpoint
from .saved_file import read_file as read_file
from .saved_file import read_mapped as read_mapped
