"""A recording -> tables for polars. Each `# %%` is a cell of a notebook."""

# %%
import sys

import polars as pl

from agentsight_rx import open_recording

pl.Config(tbl_formatting="MARKDOWN", tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True)

# %%
with open_recording(sys.argv[1]) as recording:
    calls = pl.DataFrame(recording.to_arrow("calls"))
    tools = pl.DataFrame(recording.to_arrow("tools"))

# %% Which model costs what, and how long an answer takes
seconds = (pl.col("end") - pl.col("start")).dt.total_milliseconds() / 1000
by_model = calls.group_by("model").agg(pl.len().alias("calls"), pl.sum("total_tokens"), seconds.median().alias("seconds"))
print(by_model.sort("total_tokens", descending=True))

# %% How often a tool failed, and how long its processes ran
by_tool = tools.group_by("tool_name").agg(
    pl.len().alias("times"), (pl.col("status") == "failed").sum().alias("failed"), pl.sum("duration_ms")
)
print(by_tool.sort("tool_name"))
