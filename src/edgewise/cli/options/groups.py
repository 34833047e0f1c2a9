"""The panels of the help pages, in the order in which they are shown."""

from cyclopts import Group

OPTIONS = Group.create_ordered("Options")
PROBLEM = Group.create_ordered("Problem")
METHOD = Group.create_ordered("Method")
READING = Group.create_ordered("Reading")
ENDING = Group.create_ordered("Ending")
KEEPING = Group.create_ordered("Keeping")
EVERYWHERE = Group.create_ordered("Everywhere")
