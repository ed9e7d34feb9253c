"""A proof by killing: real processes on one file die at random and at named points, and then everything must add up.

workload.py   two toy services and an aggregate whose sums, counts and orders can be checked
actors.py     what runs in the processes: a publisher that writes down what it was told, and workers
nemesis.py    starts, kills, freezes
check.py      the invariants, each a function over the histories and the file
python -m proof --kills 200 --seed 7 --ledger proof.json
"""
