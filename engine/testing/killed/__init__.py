"""Real schedulers, agents and keepers that are killed with SIGKILL at a chosen boundary between them and the world.

The plan is in the environment, so that it reaches every process of the run: `AUTOML_PROOF_KILL="agent spawn|before|2|MARK"` kills
the agent that is about to start a keeper for the second time, and makes the file MARK, by which a test knows that it happened; once
it is there nobody else is killed.
"""
