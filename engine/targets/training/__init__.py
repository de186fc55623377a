"""Training as every torch target needs it; of an ignite trainer and evaluator, whatever built them.

session.py      one training: reports, best weights, checkpoints, the end; start here
checkpoints.py  files in the job's checkpoint folder: whole, synced, few
state.py        what a checkpoint holds, and how it comes back
randomness.py   the states of all random generators
distributed.py  one process a GPU: samplers, DDP, decisions that all ranks share
device.py       where a job trains, and its seed
measure.py      weights counted, inference timed

All but `distributed.processes` import torch.
"""
