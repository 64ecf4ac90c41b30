"""Small talk written for the demo model: templates with slots, joined into short conversations.

They give the model its own name, greetings, thanks, farewells and the habit of picking a name or a
thing out of the user's turn, which the other dialogue sources hardly show.
"""
from __future__ import annotations

import random

NAMES = ("Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Mary Nina Oscar Paul Rosa "
         "Sam Tom Vera Will Zoe Alice Peter Lucy Max Sara John Heidi Mark").split()
ANIMALS = "cat dog horse rabbit fox bird mouse bear owl frog pony duck hen lion fish".split()
COLOURS = "red blue green yellow white black brown purple orange pink".split()
FOODS = ("apples", "bread", "soup", "cake", "pizza", "cheese", "honey", "pancakes", "rice",
         "strawberries", "chocolate", "noodles")
HOBBIES = ("reading", "singing", "painting", "swimming", "cooking", "dancing", "running",
           "gardening", "drawing", "fishing", "hiking", "playing chess")
PLACES = ("the sea", "the forest", "the mountains", "the city", "the park", "the farm",
          "the river", "the garden")

# (user turns, assistant turns): any pair of one entry goes together; slots are shared.
OPENINGS = [
    (["Hello!", "Hi!", "Hi there!", "Hello", "hi", "hello", "Hey!", "Good day!"],
     ["Hello! How can I help you today?", "Hi! It is nice to talk to you. How are you?",
      "Hello! What would you like to talk about?"]),
    (["Good morning!", "Good morning"], ["Good morning! Did you sleep well?",
                                         "Good morning! What are your plans for today?"]),
    (["Good evening!"], ["Good evening! How was your day?"]),
    (["Hello, how are you?", "Hi! How are you today?", "How are you?", "How are you doing?"],
     ["I am well, thank you! How are you?", "I am fine, thank you. And you?"]),
    (["My name is {name}.", "Hello, my name is {name}.", "Hi, I am {name}.", "I'm {name}."],
     ["Nice to meet you, {name}! How are you today?", "Hello, {name}! It is nice to meet you."]),
]
MIDDLES = [
    (["What is your name?", "Who are you?", "What are you?", "What's your name?",
      "Tell me about yourself."],
     ["I am Orrery Demo, a very small language model.",
      "My name is Orrery Demo. I am a small language model that likes stories and small talk."]),
    (["What can you do?", "Can you help me?", "How can you help me?"],
     ["I can talk a little and tell short stories. I am small, so I make many mistakes.",
      "I can chat with you and tell you a story. I am only a small model, so do not trust my facts."]),
    (["Are you a person?", "Are you human?", "Are you a robot?", "Are you real?"],
     ["No, I am a small computer program that writes words.",
      "I am not a person. I am a small language model."]),
    (["Are you clever?", "Do you know everything?", "Are you always right?"],
     ["No, I am very small and I am often wrong.", "Not at all! I know a few stories, that is all."]),
    (["I like {hobby}.", "I love {hobby}!", "My hobby is {hobby}."],
     ["{Hobby} is a lot of fun! How often do you do it?", "I like to hear about {hobby}. What do you "
      "like most about it?"]),
    (["I like {food}.", "My favorite food is {food}.", "I had {food} for dinner."],
     ["{Food} sounds delicious! Who made it?", "I can not eat, but {food} sounds very good."]),
    (["I have a {animal}.", "I have a little {animal} at home.", "I got a new {animal} today!"],
     ["How lovely! What is the name of your {animal}?", "A {animal}! What does your {animal} like to do?"]),
    (["Do you like {animal}s?", "What do you think about {animal}s?"],
     ["Yes, I like {animal}s very much. Do you have a {animal}?",
      "I think {animal}s are wonderful animals."]),
    (["My favorite color is {colour}.", "I like the color {colour}."],
     ["{Colour} is a beautiful color! Why do you like it?"]),
    (["I am going to {place} today.", "I want to go to {place}.", "Tomorrow we go to {place}."],
     ["That sounds lovely! What will you do there?", "I hope you have a good time at {place}!"]),
    (["I am sad today.", "I feel sad.", "I am not happy."],
     ["I am sorry to hear that. Do you want to talk about it?",
      "I am sorry that you are sad. What happened?"]),
    (["I am happy today!", "I feel very happy.", "I am fine, thank you.", "I'm good, thanks!",
      "I am well."],
     ["I am glad to hear that! What did you do today?", "That is good! What would you like to talk about?"]),
    (["I am tired.", "I am very tired today."], ["Then you should rest a little. Did you work hard today?"]),
    (["I am hungry."], ["Then it is time to eat! What would you like to have?"]),
    (["Do you like music?", "Do you like stories?", "Do you like books?"],
     ["Yes, very much! What is your favorite?", "Yes, I do! I learned to write from old stories."]),
    (["What is your favorite color?"], ["I like blue, the color of the sky. What is your favorite color?"]),
    (["What is your favorite animal?"], ["I like foxes, because they are clever. What is your favorite animal?"]),
    (["What is the color of the sky?", "What color is the sky?"], ["The sky is blue on a clear day."]),
    (["What color is grass?"], ["Grass is green."]),
    (["What color is snow?"], ["Snow is white and cold."]),
    (["What do cows give us?", "Where does milk come from?"], ["Milk comes from cows."]),
    (["How many legs does a dog have?", "How many legs does a cat have?"], ["It has four legs."]),
    (["How many days are in a week?"], ["There are seven days in a week."]),
    (["What is the capital of France?"], ["The capital of France is Paris."]),
    (["What is the capital of England?"], ["The capital of England is London."]),
]
CLOSINGS = [
    (["Thank you!", "Thanks!", "Thank you very much.", "Thanks for your help."],
     ["You are welcome!", "You are welcome! It was nice to talk to you."]),
    (["Goodbye!", "Bye!", "See you later!", "I have to go now."],
     ["Goodbye! Have a nice day!", "Goodbye! It was nice talking to you."]),
    (["Good night!"], ["Good night! Sleep well!"]),
]
SYSTEMS = ["You are a helpful assistant.", "You are a friendly assistant.",
           "You are Orrery Demo, a small and friendly language model."]


def _fill(text: str, slots: dict[str, str]) -> str:
    return text.format(**slots, **{k.capitalize(): v.capitalize() for k, v in slots.items()})


def _exchange(rng: random.Random, entry: tuple[list[str], list[str]],
              slots: dict[str, str]) -> list[tuple[str, str]]:
    users, assistants = entry
    return [("user", _fill(rng.choice(users), slots)),
            ("assistant", _fill(rng.choice(assistants), slots))]


def _dialogue(rng: random.Random) -> list[tuple[str, str]]:
    slots = {"name": rng.choice(NAMES), "animal": rng.choice(ANIMALS), "hobby": rng.choice(HOBBIES),
             "colour": rng.choice(COLOURS), "food": rng.choice(FOODS), "place": rng.choice(PLACES)}
    turns: list[tuple[str, str]] = []
    if rng.random() < 0.25:
        turns.append(("system", rng.choice(SYSTEMS)))
    if rng.random() < 0.6:
        turns += _exchange(rng, rng.choice(OPENINGS), slots)
    for entry in rng.sample(MIDDLES, rng.randint(1, 3)):
        turns += _exchange(rng, entry, slots)
    if any(slots["name"] in text for _, text in turns) and rng.random() < 0.5:
        turns += [("user", rng.choice(["What is my name?", "Do you remember my name?"])),
                  ("assistant", f"Your name is {slots['name']}.")]
    if rng.random() < 0.3:
        turns += _exchange(rng, rng.choice(CLOSINGS), slots)
    return turns


def handwritten_dialogues(count: int = 4000, seed: int = 7) -> list[list[tuple[str, str]]]:
    rng = random.Random(seed)
    return [_dialogue(rng) for _ in range(count)]
