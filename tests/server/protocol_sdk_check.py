"""Reads bodies that the protocol tests kept, and has the types of the `openai` package check them strictly.

    ORRERY_BODIES=/tmp/bodies build/protocol_test && python3 tests/server/protocol_sdk_check.py /tmp/bodies
"""

import json
import sys

from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

TYPES = {"completion": Completion, "chat": ChatCompletion, "chunk": ChatCompletionChunk, "completion_chunk": Completion}


def main() -> int:
    counts = dict.fromkeys(TYPES, 0)
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            kind, body = line.split(" ", 1)
            body = json.loads(body)
            for choice in body["choices"]:
                # The type of the package lacks what OpenAI's own service sends here: the null of an
                # echoed prompt's first token, and of a stream before its end.
                logprobs = choice.get("logprobs") or {}
                if logprobs.get("token_logprobs", [0])[0] is None:
                    logprobs["token_logprobs"][0] = 0.0
                    logprobs["top_logprobs"][0] = {}
                if kind == "completion_chunk" and choice["finish_reason"] is None:
                    choice["finish_reason"] = "stop"
            TYPES[kind].model_validate(body, strict=True)
            counts[kind] += 1
    print(counts)
    return 0 if counts["completion"] and counts["chat"] and counts["chunk"] else 1


if __name__ == "__main__":
    sys.exit(main())
