"""The demo, `python -m shop.demo`: a day in the life of the shop, with a crash, a stop, a poisoned mail, and the proof.

story    what happens, in order
workers  the processes that it happens to
stage    what is seen meanwhile
facts    what the files say afterwards
report   whether it adds up
show     how it is told
"""
