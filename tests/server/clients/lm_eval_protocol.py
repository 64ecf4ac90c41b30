"""What lm-eval's local-completions asks and how it reads the answers (loglikelihood with echo; generate_until)."""
import json
import os
import urllib.request

URL, KEY = os.environ["ORRERY_URL"], os.environ["ORRERY_API_KEY"]


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def tokenize(text):
    return post("/tokenize", {"model": "demo", "prompt": text, "add_special_tokens": False})["tokens"]


def loglikelihood(pairs):
    """As its parse_logprobs: (sum of log-probabilities, whether greedy) of each continuation."""
    contexts = [tokenize(context) for context, _ in pairs]
    wholes = [tokenize(context + continuation) for context, continuation in pairs]
    answer = post("/v1/completions", {"model": "demo", "prompt": wholes, "temperature": 0, "max_tokens": 1, "logprobs": 1,
                                      "seed": 1234, "echo": True})
    results = []
    for choice, context in zip(sorted(answer["choices"], key=lambda c: c["index"]), contexts):
        logprobs = choice["logprobs"]
        tokens = logprobs["token_logprobs"][len(context):-1]
        tops = logprobs["top_logprobs"][len(context):-1]
        results.append((sum(tokens), all(t == max(top.values()) for t, top in zip(tokens, tops))))
    return results, answer


pairs = [("Once upon a", " time"), ("Once upon a", " xylophone"), ("The cat sat on the", " mat")]
together, answer = loglikelihood(pairs)
for pair, (value, greedy) in zip(pairs, together):
    assert value < 0, pair
    assert loglikelihood([pair])[0][0] == (value, greedy), "an answer depends on its company"
assert together[0][0] > together[1][0], "a likely word is less likely than an unlikely one"
assert answer["usage"]["completion_tokens"] == len(pairs)
text = post("/v1/completions", {"model": "demo", "prompt": ["Once upon a time"], "max_tokens": 30, "temperature": 0,
                                "stop": ["\n\n", "."], "seed": 1234})["choices"][0]["text"]
assert "." not in text
print(f"loglikelihoods {[round(value, 2) for value, _ in together]}")
