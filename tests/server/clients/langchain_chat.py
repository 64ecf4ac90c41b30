"""LangChain's ChatOpenAI: invoke, stream, batch."""
import os

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="demo", base_url=os.environ["ORRERY_URL"] + "/v1", api_key=os.environ["ORRERY_API_KEY"],
                   temperature=0, max_tokens=16, max_retries=0)
messages = [SystemMessage("You are kind."), HumanMessage("Hello")]
whole = model.invoke(messages)
assert whole.content and whole.usage_metadata["output_tokens"] > 0
chunks = list(model.stream(messages))
assert "".join(chunk.content for chunk in chunks) == whole.content
answers = model.batch([messages] * 4)
assert all(answer.content == whole.content for answer in answers)
print(f"{len(chunks)} chunks")
