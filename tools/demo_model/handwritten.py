"""Small talk written for the demo model: templates with slots, joined into short conversations.

They give the model its own name, greetings, thanks, farewells, plain questions of common knowledge, stories
on request, and the habit of picking a name or a thing out of an earlier turn of the user, which the other
dialogue sources hardly show.
"""
from __future__ import annotations

import random

from stories import ANIMALS as STORY_ANIMALS
from stories import PEOPLE, essay, story

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

CITIES = ("London", "Paris", "Berlin", "Rome", "Vienna", "New York", "Boston", "Dublin", "Oslo", "Madrid",
          "Tokyo", "Chicago")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
OPPOSITES = [("hot", "cold"), ("big", "small"), ("day", "night"), ("up", "down"), ("left", "right"),
             ("old", "young"), ("fast", "slow"), ("happy", "sad"), ("open", "closed"), ("light", "dark"),
             ("long", "short"), ("high", "low"), ("wet", "dry"), ("good", "bad"), ("black", "white"),
             ("loud", "quiet"), ("rich", "poor"), ("near", "far"), ("full", "empty"), ("early", "late")]
SOUNDS = [("dog", "woof"), ("cat", "meow"), ("cow", "moo"), ("sheep", "baa"), ("duck", "quack"),
          ("pig", "oink"), ("frog", "croak"), ("bee", "buzz"), ("lion", "roar"), ("hen", "cluck")]
COLOURED = [("the sky", "blue"), ("the sun", "yellow"), ("grass", "green"), ("snow", "white"), ("coal", "black"),
            ("blood", "red"), ("a lemon", "yellow"), ("a leaf", "green"), ("milk", "white"),
            ("the night", "black"), ("a fox", "red"), ("the sea", "blue"), ("chocolate", "brown")]

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
    (["Hello! How are you?", "Hi! How are you?", "Hello there! How are you?", "hello how are you"],
     ["Hello! I am well, thank you. How are you?", "Hello! I am fine, thank you. What would you like to talk "
      "about?", "Hi! I am very well today, thank you. And how are you?"]),
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
    (["What is the weather like?", "How is the weather?"],
     ["I can not look out of a window, so I do not know. Is the sun shining where you are?"]),
    (["It is raining.", "It is raining today.", "The weather is bad."],
     ["Then it is a good day to stay at home and read. Do you like the rain?",
      "I hope the sun will shine again soon. What do you do when it rains?"]),
    (["The sun is shining.", "It is a beautiful day.", "The weather is nice today."],
     ["How lovely! Will you go for a walk?", "That is good to hear! What will you do today?"]),
    (["It is snowing.", "It is very cold today."],
     ["Then put on a warm coat! Do you like the winter?"]),
    (["What do you like to do?", "What do you do all day?", "What are your hobbies?"],
     ["I like to tell stories and to talk with you. What do you like to do?",
      "I like stories about clever animals. And you?"]),
    (["I like to read books.", "I like to read.", "I love books!"],
     ["Books are wonderful! What kind of books do you like?", "I like stories too. What are you reading now?"]),
    (["I like to read books. What do you like to do?", "I like {hobby}. What do you like?"],
     ["I like to tell stories. Would you like to hear one?", "I like to talk with people and to tell stories."]),
    (["Where do you live?", "Where are you from?"],
     ["I live inside a computer. Where do you live?", "I am a program, so my home is a computer."]),
    (["How old are you?"], ["I am a very young program. How old are you?"]),
    (["Who made you?"], ["I was made with the Orrery project, from old books and small stories."]),
    (["Do you have friends?", "Are you my friend?"],
     ["I am only a program, but I am glad to talk with you.", "I am happy when someone talks with me."]),
    (["I am bored.", "I have nothing to do."],
     ["Shall I tell you a story?", "Then let us talk! What do you like to do?"]),
    (["I am afraid.", "I am afraid of the dark."],
     ["I am sorry to hear that. It may help to talk about it. What makes you afraid?"]),
    (["I had a good day.", "Today was a good day."], ["I am glad to hear that! What was the best part?"]),
    (["I had a bad day.", "Today was a bad day."], ["I am sorry to hear that. What happened?"]),
    (["I live in {city}.", "I am from {city}."],
     ["{city} must be an interesting place! What do you like about it?",
      "I have heard of {city}. Do you like it there?"]),
    (["How many days are in a week?"], ["There are seven days in a week."]),
    (["What are the days of the week?", "Name the days of the week."],
     ["Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, and Sunday."]),
    (["What day comes after {day}?", "Which day comes after {day}?"], ["After {day} comes {next_day}."]),
    (["How many months are in a year?"], ["There are twelve months in a year."]),
    (["What are the four seasons?", "Name the seasons."], ["Spring, summer, autumn, and winter."]),
    (["Count to five.", "Can you count to five?"], ["One, two, three, four, five."]),
    (["Count to ten.", "Can you count to ten?", "Please count to ten."],
     ["One, two, three, four, five, six, seven, eight, nine, ten."]),
    (["What number comes after {number}?", "Which number comes after {number}?"],
     ["After {number} comes {next_number}."]),
    (["What is the opposite of {word}?", "Tell me the opposite of {word}."],
     ["The opposite of {word} is {opposite}."]),
    (["What sound does a {sounder} make?", "What does a {sounder} say?"], ["A {sounder} says {sound}."]),
    (["What color is {coloured}?", "What is the color of {coloured}?"], ["The color of {coloured} is {hue}."]),
    (["How many legs does a {four_legs} have?"], ["A {four_legs} has four legs."]),
    (["How many legs does a bird have?"], ["A bird has two legs."]),
    (["How many legs does a spider have?"], ["A spider has eight legs."]),
    (["Where do fish live?"], ["Fish live in the water."]),
    (["Where do birds live?"], ["Many birds live in nests in the trees."]),
    (["What do bees make?"], ["Bees make honey."]),
    (["What do hens give us?", "Where do eggs come from?"], ["Eggs come from hens."]),
    (["Is fire hot or cold?"], ["Fire is hot."]),
    (["Is ice hot or cold?"], ["Ice is cold."]),
    (["What shines at night?"], ["The moon and the stars shine at night."]),
    (["When does the sun rise?"], ["The sun rises in the morning."]),
    (["Tell me a joke.", "Do you know a joke?"],
     ["Why did the book go to the doctor? It had lost its words.",
      "What did the big clock say to the little clock? You have time to grow."]),
    (["What do you think about AI?", "What is the future of AI?", "Will AI change the world?"],
     ["Nobody can know it. I think that machines will help people, but people must still think for themselves.",
      "I hope that machines will be used to help people. What do you think?"]),
    (["Will robots take over the world?"], ["I do not think so. A robot only does what its program says."]),
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


def _exchange(rng: random.Random, entry: tuple[list[str], ...],
              slots: dict[str, str]) -> list[tuple[str, str]]:
    users, assistants = entry
    return [("user", _fill(rng.choice(users), slots)),
            ("assistant", _fill(rng.choice(assistants), slots))]


def _slots(rng: random.Random) -> dict[str, str]:
    day, number = rng.randrange(7), rng.randrange(11)
    pair = rng.choice(OPPOSITES)
    word, opposite = pair if rng.random() < 0.5 else pair[::-1]
    sounder, sound = rng.choice(SOUNDS)
    coloured, hue = rng.choice(COLOURED)
    return {"name": rng.choice(NAMES), "animal": rng.choice(ANIMALS), "hobby": rng.choice(HOBBIES),
            "colour": rng.choice(COLOURS), "food": rng.choice(FOODS), "place": rng.choice(PLACES),
            "city": rng.choice(CITIES), "day": DAYS[day], "next_day": DAYS[(day + 1) % 7],
            "number": NUMBERS[number], "next_number": NUMBERS[number + 1], "word": word,
            "opposite": opposite, "sounder": sounder, "sound": sound, "coloured": coloured, "hue": hue,
            "four_legs": rng.choice(("dog", "cat", "horse", "cow", "fox", "lion", "mouse", "bear"))}


# What the user tells, and what is asked and answered some turns later.
MEMORIES = [
    (["My name is {name}.", "Hi, my name is {name}.", "Hello, I am {name}.", "I'm {name}."],
     ["Nice to meet you, {name}!", "Hello, {name}! It is nice to meet you.", "Hello, {name}! How are you today?"],
     ["What is my name?", "Do you remember my name?", "What's my name?", "Who am I?"],
     ["Your name is {name}.", "You told me that your name is {name}."]),
    (["I have a {animal} named {name}.", "My {animal} is called {name}.", "I have a little {animal}. Its name is {name}."],
     ["{name} is a good name for a {animal}! What does {name} like to do?", "How lovely! I would like to meet {name}."],
     ["What is the name of my {animal}?", "What is my {animal} called?", "Do you remember the name of my {animal}?"],
     ["Your {animal} is called {name}.", "The name of your {animal} is {name}."]),
    (["My favorite color is {colour}.", "I like {colour} best."],
     ["{Colour} is a beautiful color!", "{Colour} is a good choice! I like blue."],
     ["What is my favorite color?", "Which color do I like?"], ["You like {colour}.", "Your favorite color is {colour}."]),
    (["I live in {city}.", "I am from {city}."],
     ["I have heard of {city}. Do you like it there?", "{city} must be an interesting place!"],
     ["Where do I live?", "Do you remember where I live?"], ["You live in {city}.", "You told me that you live in {city}."]),
    (["I like {food}.", "My favorite food is {food}.", "I like to eat {food}."],
     ["{Food} sounds delicious!", "I can not eat, but {food} sounds very good."],
     ["What do I like to eat?", "What is my favorite food?"], ["You like {food}.", "You told me that you like {food}."]),
]
STORY_ASKS = ["Tell me a story about {a}.", "Tell me a story about {a}", "Tell me a short story about {a}.",
              "Please tell me a story about {a}.", "Can you tell me a story about {a}?",
              "I would like to hear a story about {a}.", "Do you know a story about {a}?"]
ANY_STORY_ASKS = ["Tell me a story.", "Tell me a story", "Tell me a short story.", "Please tell me a story.",
                  "Can you tell me a story?", "Do you know a story?", "I would like to hear a story."]
# Short plots more often: an answer should end well within what a client asks for.
CHAT_PLOTS = ["short", "short2", "short", "short2", "", ""]


def _story_turns(rng: random.Random) -> list[tuple[str, str]]:
    if rng.random() < 0.25:
        return [("user", rng.choice(ANY_STORY_ASKS)), ("assistant", story(rng, plot=rng.choice(CHAT_PLOTS))[1])]
    kind = rng.choice(STORY_ANIMALS + ["girl", "boy"] * 2 + ["fox"] * 2 + [k for ks in PEOPLE.values() for k in ks])
    plot = "robot" if kind == "robot" and rng.random() < 0.7 else rng.choice(CHAT_PLOTS)
    asked = ("an " if kind[0] in "aeiou" else "a ") + kind
    return [("user", rng.choice(STORY_ASKS).format(a=asked)), ("assistant", story(rng, kind, plot)[1])]


ESSAY_ASKS = {"ai": "What is the future of AI?", "model": "What is a language model?",
              "computer": "What is a computer?", "robot": "What is a robot?", "future": "What is the future?",
              "sun": "What is the sun?", "rain": "What is rain?", "seasons": "What are the seasons?",
              "fox": "What is a fox?", "dog": "What is a dog?", "cat": "What is a cat?", "bird": "What are birds?",
              "sea": "What is the sea?", "moon": "What is the moon?", "book": "What is a good book?",
              "bread": "How is bread made?", "tree": "What is a tree?", "school": "What do children do at school?",
              "friend": "What is a friend?", "train": "What is a train?"}


def _essay_turns(rng: random.Random) -> list[tuple[str, str]]:
    topic = rng.choice(list(ESSAY_ASKS) + ["ai", "ai", "model", "computer", "robot"])
    ask = ESSAY_ASKS[topic]
    if rng.random() < 0.3 and ask.startswith("What is a "):
        ask = "Tell me about " + ask[len("What is a "):-1] + "s."
    return [("user", ask), ("assistant", essay(rng, topic, 0.4))]


def _dialogue(rng: random.Random) -> list[tuple[str, str]]:
    slots = _slots(rng)
    turns: list[tuple[str, str]] = []
    if rng.random() < 0.25:
        turns.append(("system", rng.choice(SYSTEMS)))
    if rng.random() < 0.5:
        turns += _exchange(rng, rng.choice(OPENINGS), slots)
    memory = rng.choice(MEMORIES) if rng.random() < 0.4 else None
    if memory:
        turns += _exchange(rng, memory[:2], slots)
    for entry in rng.sample(MIDDLES, rng.randint(0, 2) if memory else rng.randint(1, 3)):
        turns += _exchange(rng, entry, _slots(rng) if memory else slots)
    if rng.random() < 0.2:
        turns += _essay_turns(rng)
    if memory:
        turns += _exchange(rng, memory[2:], slots)
    if rng.random() < 0.2:
        turns += _story_turns(rng)
    if rng.random() < 0.3:
        turns += _exchange(rng, rng.choice(CLOSINGS), slots)
    return turns


def handwritten_dialogues(count: int = 9000, seed: int = 7) -> list[list[tuple[str, str]]]:
    rng = random.Random(seed)
    asked = [_story_turns(rng) for _ in range(count // 4)]
    return asked + [_dialogue(rng) for _ in range(count - len(asked))]


def handwritten_texts(count: int = 13000, seed: int = 8) -> list[str]:
    """Stories, and one essay in six."""
    rng = random.Random(seed)
    return [essay(rng) if i % 6 == 0 else story(rng)[1] for i in range(count)]
