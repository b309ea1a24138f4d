"""Messages whose contents are texts or lists of parts, as servers, processors and TRL take them.

parts.py       messages and the parts of their contents
json_text.py   texts that a loader takes for JSON
openai.py      servers of OpenAI's protocol: `audio_url`
hf.py          processors of transformers: `{"type": "audio", "audio": path}`
trl.py         TRL: messages, prompts and completions
"""
