"""Rewards of reinforcement learning: files that a trainer loads, on a machine that may not have this package.

swift_rewards.py   MS-SWIFT's GRPO, with `--external_plugins`
"""
