"""A notebook over a recording: each `# %%` is a cell. A test runs it cell by cell, in a folder with `run.lmdb`."""

# %% A recording says what it has
from agentsight_rx import open_recording, open_recordings

recording = open_recording("run.lmdb")
recording  # noqa: B018 (a notebook shows it)

# %% What the session did, and what is worth a look
recording.verdict()

# %%
recording.findings()

# %% What it cost, by model
recording.costs("model")

# %% What fills the context
[(context.turn, context.total, context.sums) for context in recording.contexts()]

# %% Where a word is
recording.search("refund", limit=5)

# %% Another look at the same file, and all recordings of a folder
again = open_recording("run.lmdb")
assert len(list(again.calls())) == len(list(recording.calls()))
open_recordings(".")

# %% The graph that made it
from agentsight_rx import TraceOptions, replay, sources  # noqa: E402

replay(sources.ReplayOptions(("run.lmdb",)), TraceOptions())
