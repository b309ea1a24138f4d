"""Models in folders and on the hub.

model_files.py     where a model lies, what it would cost to download, which revision it is
model_loading.py   the class, processor and template of a model
prompt_forms.py    what training and inference write alike
families.py        families of models that are trained here, and the parts of each by name
training_model.py  a model that is loaded to be trained: number format, quantization
real_lengths.py    Qwen2-Audio's encoder on the length of the clips
short_clips.py     Qwen3-Omni's encoder on clips under 1 s, each as it is alone
adapters.py        LoRA, placed by full names and held against what was asked for
stages.py          what is trained, when, and at which rate
towers.py          whether sound and pictures reach the parts that hear and see
demo_model.py      a small Qwen2-Audio with random weights, for `triptych demo --train`
weights.py         trained weights in a checkpoint, read back exactly
"""
