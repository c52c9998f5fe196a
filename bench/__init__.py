"""What is measured, and against which limit: `make bench`.

A measure is a module with `NAME` and `async def measure(bench: Bench) -> dict[str, Any]`, listed in
`bench.measures.MEASURES`. It gets the running stack, the cores, the opened accounts and the figures so far
(`bench.setting`), and returns figures: those that `bench.report.HEADLINES` names stand at the top of the
JSON, all of them under the measure's name. Who loads or serves is a process of its own (`bench.child`).
"""
