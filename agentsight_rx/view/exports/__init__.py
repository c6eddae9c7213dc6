"""
A recording as a file for other tools, one file a format: a store in, an iterator of the file's bytes out.

`har` takes its entries from `har_entry`. `perfetto` writes packets of `perfetto_packets`, in protobuf.
`atif` has trajectories, `csv_tables` CSV, and `tables` Arrow and Parquet.
The page in one file is no module here: `runtime/web/app` makes it with `view/page/embedded`.
"""
