"""Everything that a page can ask of a session, by name; what is not here cannot be done from a page."""

from glassnet.lab.commands import asking, data, learning, looking, sharing, time
from glassnet.lab.commands.schema import COMMANDS, Command, check_command

__all__ = [
    "COMMANDS",
    "Command",
    "asking",
    "check_command",
    "data",
    "learning",
    "looking",
    "sharing",
    "time",
]
