"""Count the runs in a list in a module."""

import calendar

calendar.mdays.append(0)
print(len(calendar.mdays) - 13)
