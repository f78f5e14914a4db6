"""Files that must be refused, each with the code that it must be refused with. Built here, none is stored."""
