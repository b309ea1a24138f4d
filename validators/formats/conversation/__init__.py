"""ShareGPT rows, as several trainers read them: MS-SWIFT by itself, LLaMA-Factory with an entry in `dataset_info.json`.

MS-SWIFT forgives what LLaMA-Factory stops at, so rows are held to the stricter of the two.

    qwen2_audio.py   `audio`, and conversations of human and gpt
    inline.py        the path inside the text: `<audio>/path.wav</audio>`
    sharegpt.py      with system, tools, images, videos and audios
"""
