"""Who answers.

answers.py        what a backend is asked and what it answers
local_model.py    a model in this process, through transformers
model_inputs.py   the inputs of one row, and of several rows as one batch
token_choice.py   sampling with a seed for each row, and stop strings
side_by_side.py   several pieces of work at once, where a server does it
server.py         a server that speaks OpenAI's protocol
server_client.py  its requests: retries, keys, what its errors mean
prediction_file.py  answers made elsewhere
"""
