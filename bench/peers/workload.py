"""What both programs are asked to do."""
PROMPT = 512  # tokens of the prefill
DEPTH = 2048  # context of the decode that is not at the beginning
BATCH, BATCH_PROMPT, BATCH_TOKENS = 32, 16, 32  # sequences, tokens each has, and tokens each gets

MEASURES = {  # in the order of the table
    "decode": "decode",
    "deep": f"decode at depth {DEPTH:,}",
    "prefill": f"prefill {PROMPT}",
    "batch": f"batch {BATCH} decode, total",
}
