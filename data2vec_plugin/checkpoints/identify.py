"""The name under which scripts of before import what :mod:`.saved_file` has."""

from .saved_file import identify_file as identify_file
from .saved_file import read_checkpoint as read_checkpoint
from .saved_file import read_file as read_file
from .saved_file import read_mapped as read_mapped
