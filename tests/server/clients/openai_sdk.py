"""The official openai SDK: models, completions, chat, streams, log-probabilities, errors."""
import asyncio
import os

import openai
from openai import AsyncOpenAI, OpenAI

URL = os.environ["ORRERY_URL"] + "/v1"
KEY = os.environ["ORRERY_API_KEY"]
client = OpenAI(base_url=URL, api_key=KEY, max_retries=0)
PROMPT = "Once upon a time"
checks = 0


def check(condition, what=""):
    global checks
    checks += 1
    assert condition, what


def raises(kind, call, **wanted):
    try:
        call()
    except kind as error:
        for name, value in wanted.items():
            check(getattr(error, name) == value, f"{name}: {getattr(error, name)!r}, expected {value!r}")
        return error
    raise AssertionError(f"expected {kind.__name__}")


def completions():
    whole = client.completions.create(model="demo", prompt=PROMPT, max_tokens=24, temperature=0)
    check(whole.object == "text_completion" and whole.choices[0].finish_reason in ("stop", "length"))
    check(whole.usage.prompt_tokens > 0 and whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens)
    stream = client.completions.create(model="demo", prompt=PROMPT, max_tokens=24, temperature=0, stream=True,
                                       stream_options={"include_usage": True})
    chunks = list(stream)
    check("".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text)
    check(chunks[-1].choices == [] and chunks[-1].usage == whole.usage)
    check(all(c.usage is None for c in chunks[:-1]))
    several = client.completions.create(model="demo", prompt=[PROMPT, "The cat"], n=2, max_tokens=6, seed=5, temperature=1)
    check([c.index for c in several.choices] == [0, 1, 2, 3])
    again = client.completions.create(model="demo", prompt=[PROMPT, "The cat"], n=2, max_tokens=6, seed=5, temperature=1)
    check([c.text for c in several.choices] == [c.text for c in again.choices], "a seed repeats its answers")
    echo = client.completions.create(model="demo", prompt=PROMPT, max_tokens=4, echo=True, logprobs=2, temperature=0)
    check(echo.choices[0].text.startswith(PROMPT))
    logprobs = echo.choices[0].logprobs
    check(logprobs.token_logprobs[0] is None and all(p <= 0 for p in logprobs.token_logprobs[1:]))
    # The first token, begin of text, is spelled among the tokens and is no text.
    check("".join(logprobs.tokens[1:]) == echo.choices[0].text, logprobs.tokens)
    check(len(logprobs.text_offset) == len(logprobs.tokens) == len(logprobs.top_logprobs))
    stopped = client.completions.create(model="demo", prompt=PROMPT, max_tokens=60, temperature=0, stop=whole.choices[0].text[4:8])
    check(whole.choices[0].text[4:8] not in stopped.choices[0].text and stopped.choices[0].finish_reason == "stop")


def chat():
    messages = [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "Hello"}]
    whole = client.chat.completions.create(model="demo", messages=messages, max_tokens=16, temperature=0)
    check(whole.object == "chat.completion" and whole.choices[0].message.role == "assistant")
    chunks = list(client.chat.completions.create(model="demo", messages=messages, max_completion_tokens=16, temperature=0, stream=True))
    check(chunks[0].choices[0].delta.role == "assistant")
    check("".join(c.choices[0].delta.content or "" for c in chunks) == whole.choices[0].message.content)
    check(chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason)
    check(all(c.choices[0].finish_reason is None for c in chunks[:-1]))
    logprobs = client.chat.completions.create(model="demo", messages=messages, max_tokens=4, logprobs=True, top_logprobs=3).choices[0].logprobs
    check(all(len(t.top_logprobs) == 3 and bytes(t.bytes) is not None for t in logprobs.content))
    parts = client.chat.completions.create(model="demo", max_tokens=2, messages=[
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]}])
    check(parts.usage.completion_tokens <= 2)
    several = client.chat.completions.create(model="demo", messages=messages, max_tokens=5, n=3, seed=1)
    check([c.index for c in several.choices] == [0, 1, 2])
    # This helper of the SDK takes an answer at the limit for an error: here the model ends its answer itself.
    with client.chat.completions.stream(model="demo", messages=messages, max_tokens=256, temperature=0) as stream:
        text = "".join(e.delta for e in stream if e.type == "content.delta")
        check(text == stream.get_final_completion().choices[0].message.content)
    raw = client.chat.completions.with_raw_response.create(model="demo", messages=messages, max_tokens=1)
    check(raw.headers["content-type"] == "application/json")


def errors():
    check(client.models.list().data[0].id == "demo")
    raises(openai.AuthenticationError, lambda: OpenAI(base_url=URL, api_key="wrong", max_retries=0).models.list(), code="invalid_api_key")
    raises(openai.NotFoundError, lambda: client.completions.create(model="nobody", prompt="x"), code="model_not_found")
    raises(openai.BadRequestError, lambda: client.completions.create(model="demo", prompt=PROMPT, temperature=-1), param="temperature")
    raises(openai.BadRequestError, lambda: client.completions.create(model="demo", prompt=PROMPT * 1000), code="context_length_exceeded")
    raises(openai.BadRequestError, lambda: client.chat.completions.create(model="demo", messages=[]))


async def at_once():
    many = AsyncOpenAI(base_url=URL, api_key=KEY, max_retries=0)
    alone = await many.completions.create(model="demo", prompt=PROMPT, max_tokens=16, temperature=0)
    together = await asyncio.gather(*(many.completions.create(model="demo", prompt=PROMPT, max_tokens=16, temperature=0) for _ in range(32)))
    check(all(c.choices[0].text == alone.choices[0].text for c in together))
    # A stream that the client leaves.
    stream = await many.completions.create(model="demo", prompt=PROMPT, max_tokens=400, stream=True, extra_body={"ignore_eos": True})
    async for _ in stream:
        break
    await stream.close()


completions()
chat()
errors()
asyncio.run(at_once())
print(f"{checks} checks, openai {openai.__version__}")
