"""The texts of the story grammar: rules shared by the plots, the plots, and short essays. See stories.py."""

RULES = {
    "land": "[a land far away|a far country|a green valley|a little village|a small town|a big forest|"
            "a village by the sea]",
    "home": "[in a small house [by the river|by the sea|near the forest|on a hill|at the end of the village]|"
            "at the edge of [a|the] [big |dark |green ]forest|in a [green|quiet] valley|by a [blue|wide|"
            "quiet] lake|near [an old mill|a little bridge|a tall tree]|in a village between the hills]",
    "adj_day": "[fine|bright|cold|warm|rainy|windy|sunny|quiet|grey]",
    "time": "[morning|day|evening|afternoon]",
    "season": "[spring|summer|autumn|winter]",
    "weather": "[the sun was shining|the sky was [blue|grey]|a cold wind was blowing|it was raining|"
               "the birds were singing|white clouds were in the sky|snow lay on the ground|"
               "the air was [warm|cold|fresh]]",
    "nature": "[{he} was [kind|cheerful|brave|gentle], and everyone [liked|loved] {him}.|"
              "{he} was not very [strong|big|tall|quick], but {he} [had a good heart|was clever|was never "
              "afraid|always did {his} best].|{he} had [few|no] friends, [but {he} was never sad|and every day was the "
              "same|and {he} often felt alone].|{he} had many friends, [but {he} had never seen the world|and "
              "they played together every day|and they all liked {him}].|Every [morning|evening] {he} [walked "
              "through the [forest|village|fields]|sat by the water|sang a little song|looked at the sky].|"
              "{he} [loved|liked] [to sit in the sun|to walk by the river|to listen to the birds|to look "
              "at the stars].|]",
    "opening": "[Once upon a time[,|] there [was|lived] {a_hero}[ who lived <home>|]. <nature>|"
               "Once upon a time {a_hero} lived <home>. <nature>|"
               "Once upon a time, in <land>, there [was|lived] {a_hero}. <nature>|"
               "There was once {a_hero} who lived <home>. <nature>|"
               "Once there was {a_hero}. {he} lived <home>. <nature>|"
               "[Long ago|A long time ago|Many years ago][,|] there [was|lived] {a_hero}. <nature>|"
               "{a_hero} lived <home>. <nature>|In <land> there lived {a_hero}. <nature>|"
               "It was a <adj_day> [winter|spring|summer|autumn] <time>, and <weather>. {a_hero} [was "
               "sitting by the window|was walking along the road|came out of {his} house].|"
               "It was a <adj_day> <time>. {a_hero} [was walking along the road|was sitting under a tree|"
               "stood by the door and looked at the sky].]",
    "oneday": "[One day|One morning|One <adj_day> <time>|One day in <season>|Then one day|Early one morning]",
    "said": "[said|said|answered]",
    "happy": "[happy|glad|full of joy|very happy|so happy that {he} [laughed|danced|sang]]",
    "home_again": "[Then|In the evening|At last] {he} went home[, and {he} was <happy>| and slept well|"
                  " with a happy heart].",
    "ending": "[And from that day on they were [good|the best of] friends.|And they lived happily ever "
              "after.|And they were happy for a long time.|And {he} never forgot that day.|From that day "
              "on, {he} was never [alone|sad|afraid] again.|And if you go there today, you can still hear "
              "them [laugh|sing|talk].|That night {he} slept well and dreamed of [the stars|good "
              "things|the sea|{friend}].]",
    "thanks": "[\"Thank you,\" said {hero}. \"[You are very kind|I will never forget this|You have helped "
              "me very much].\"|\"Thank you very much!\" said {hero}.|{hero} thanked {h_him} [with all "
              "{his} heart|many times|and smiled].]",
    "meet": "[On the way|On the road|By the river|Under a tall tree|At the bridge|In the forest|Near the "
            "old mill] {he} met {a_friend}.",
    "hello": "[\"Good [morning|day],\" said {hero}.|\"Hello,\" said {hero}.|\"Who are you?\" asked {hero}.]",
    "walk": "[{he} walked [all day|for a long time|for many hours|over the hills|through the forest|along "
            "the river][, and {he} grew tired| until {he} was tired| until the sun went down].|{he} went over "
            "the hills and through the fields.|First {he} came to a [river|forest|hill], and then {he} came to "
            "a [bridge|village|lake].|{he} walked and walked, and the road was long.]",
}

PLOTS = {
    "lost": """<opening> {he} had a {thing}, and {he} [loved it very much|took it everywhere|kept it by {his} bed].
<oneday> the {thing} was gone. {hero} looked [under the bed|behind the door|in the kitchen], but it was not there. {he} looked [in the garden|under the stairs|behind the house], but it was not there. {he} [began to cry|was very sad|sat down and did not know what to do].
Then {a_friend} came [along|by|to the door]. "[Why are you sad|What is the matter|Why do you cry]?" asked {friend}.
"I have lost my {thing}," said {hero}. "[I can not find it anywhere|I have looked everywhere]."
"[Do not be sad|Do not cry]," said {friend}. "[I will help you to find it|We will look for it together|Two can look better than one]."
They went [to the river|into the garden|down the road|to the old tree], and they looked [for a long time|behind every stone|under every leaf]. At last {friend} [called out|cried], "[Here it is!|Look! There it is!]" The {thing} was [under a bush|in the tall grass|on a branch|between two stones].
{hero} was <happy>. "[Thank you|Thank you, my friend]," {he} said. "[Come home with me, and we will eat some {food}|You are a true friend|I will never lose it again]."
<ending>""",
    "journey": """<opening> {he} had one wish: {he} wanted to {goal}. [Everyone laughed at {him}. "[You are too small|It is too far]," they said.|Nobody had ever done it.|{he} thought of it every day and every night.]
<oneday> {he} [put some {food} in a bag|took {his} {thing}] and [set out|went on {his} way|started to walk]. <walk>
<meet> <hello>
"[Where are you going|Where do you go so early]?" asked {friend}.
"I want to {goal}," said {hero}. "[Will you come with me|Do you know the way]?"
"[I would like that too|I have always wished for that]," said {friend}. "[Let us go together|I will come with you]."
So they went on together. [Soon it began to rain, and they sat under a big tree until it was over.|When they came to a wide river, an old man took them over in his boat.|At night they slept under the stars, and in the morning they went on.|When {hero} was tired, {friend} sang a song, and the road was not so long.]
[On the third day|In the evening|The next morning|At last] they came to the end of the road, and there it was. It was [more beautiful than anything in the world|bigger than they had thought|so beautiful that they could not speak].
"[Now I am happy|I will never forget this|It was worth the long way]," said {hero}.
[They stayed there until the sun went down, and then they went home.|They sat down and looked for a long time.] <ending>""",
    "repaid": """<opening>
<oneday> {he} [heard a small voice|heard someone cry]. It was a little {beast} that had fallen into the [water|river|well]. "[Help me|Please help me]!" cried the {beast}.
[{hero} was [in a hurry|tired|hungry], but {he} stopped.|{hero} did not wait.] {he} [held out a long stick|put a leaf on the water|reached down], and the {beast} climbed out.
"Thank you," said the {beast}. "[I am small, but one day I will help you|I will not forget what you have done for me]."
{hero} [laughed|smiled]. "[How can such a small {beast} help me|You do not have to thank me]," {he} said[, and {he} went on|, and {he} went home].
[Some days later|Not long after that|In the winter], {hero} [was caught in a net|fell into a deep hole|lost the way in the dark forest]. {he} called for help, but nobody came. [It grew dark, and {he} was afraid.|{he} was cold and afraid.]
Then the little {beast} came. "[Now it is my turn|Do not be afraid, I am here]," it said. It [called all its friends, and together they helped {him}|worked all night, and in the morning {hero} was free|ran to fetch {a_friend}, and {friend} helped {him} out].
"[I was wrong|Now I see]," said {hero}. "[Even a small friend can be a great friend|A small friend is better than a big enemy|No one is too small to help]." <ending>""",
    "trick": """<opening> {he} was very hungry, for {he} had eaten nothing [all day|for two days|since the morning].
<oneday> {he} saw {a_friend} with some {food}. "[If I ask, {f_he} will say no|I must be clever]," thought {hero}. So {he} [went up to {friend}|sat down by {friend}] and said, "[What a fine voice you have! Please sing a song for me|How tired you look! Lie down and sleep, and I will watch your {food}|There is a wonderful thing behind that hill. Go and look at it]."
But {friend} was [clever too|not so foolish]. "[I know what you want|I have heard that before]," {f_he} said. "[You want my {food}.|You are hungry, are you not?] [Why did you not ask me?|You had only to ask.]"
{hero} [was ashamed|grew red|looked at the ground]. "[I am sorry|Forgive me]," {he} said. "[I thought that you would say no|I am so hungry that I forgot how to be good]."
"[Sit down and eat with me|There is enough for two]," said {friend}. [So they sat down under a tree and ate.|{f_he} gave {him} half of the {food}, and they ate together.]
[After that, {hero} never tried to trick anyone again.|It is better to ask than to steal.|A kind word is better than a trick.] <ending>""",
    "share": """<opening> {his} best friend was {a_friend}. They did everything together.
<oneday> they found a {thing} [on the road|by the river|under a tree|in the forest]. "It is mine," said {hero}, "[I saw it first|and I want to keep it]."
"No, it is mine," said {friend}. "[I picked it up|I saw it before you]."
They [were angry|shouted at each other|would not speak to each other], and each of them went home alone. [In the evening|That night] {hero} [could not sleep|could not eat|sat alone by the fire]. "[What is a {thing} without a friend?|I would rather have a friend than a {thing},]" {he} thought.
[In the morning|The next day] {he} went to the house of {friend} and knocked at the door. "[I am sorry|I was wrong]," said {hero}. "[You can have the {thing}|Let us share it]."
"I am sorry too," said {friend}. "[Let us share it|You can have it one day, and I will have it the next]."
So [they shared it|each of them had it every second day], and [both were happy|there was no more trouble]. <ending>""",
    "afraid": """<opening> There was only one thing that made {him} afraid, and that was [the dark|the thunder|the deep water|the big forest].
One night there was a [great|terrible] storm. The wind [blew|cried], and the rain fell on the roof. {hero} [hid under the bed|sat in the corner|could not sleep].
Then there was a knock at the door. {hero} [was afraid to open it|did not want to open it], but a voice said, "[Please let me in|Help me! I am cold and wet]!" So {he} opened the door, and there stood {a_friend}.
"[Come in|Come in quickly]," said {hero}. {he} [made a fire|gave {f_him} a warm blanket] and [made some tea|brought some {food}]. They sat by the fire and talked [about many things|until the storm was over].
"[Are you not afraid|Do you live here all alone]?" asked {friend}.
{hero} [thought for a moment|looked up]. "[I was afraid|I am often afraid]," {he} said, "[but when I opened the door for you, I forgot it|but not when a friend is here]."
"[That is how it is|I will tell you a secret]," said {friend}. "[Who helps others has no time to be afraid|Even the bravest are sometimes afraid]."
In the morning [the sun was shining|the sky was blue], and {hero} was not afraid any more. <ending>""",
    "skill": """<opening> {he} wanted to learn to {skill}[, but {he} did not know how| more than anything in the world].
[On the first day {he} tried, but it did not go well.|{he} tried once, and it was very bad.] "[You will never learn it|You are too small for that]," said {a_friend}. [That made {him} sad.|{hero} did not listen.|But {he} did not give up.]
[The next day|On the second day] {he} tried again, and it was a little better. {he} tried every day, in the [sun|morning] and in the [rain|evening].
One day {a_helper} [came by|saw {him}] and [watched {him}|stopped]. "[Who taught you that|How did you learn that]?" asked {helper}.
"[Nobody helped me|I try every day]," said {hero}. "[I fall, and then I try again|But I still make many mistakes]."
"[That is the best way to learn|Go slowly, and do not be afraid of mistakes]," said {helper}. "[I will show you how it is done|Let me help you]." And {h_he} showed {him}.
[When summer came|After many days|Before the winter came], {hero} could {skill} better than [anyone in the village|all the others]. Even {friend} [came to watch|was surprised]. "[How did you learn it|Will you teach me]?" asked {friend}.
"[It is easy|I will tell you]," said {hero} [with a smile|and laughed]. "[You must try, and try again|Do a little every day]." <ending>""",
    "gift": """<opening>
It was the birthday of {his} [mother|grandmother|best friend], but {hero} had no [money|present]. "[What can I give her|What shall I do]?" {he} thought. {he} went [into the garden|out of the house|to the market] and looked for something beautiful.
First {he} saw a [flower|red rose], but a {beast} was sleeping in it. [{he} did not want to wake it.|So {he} let it be.] Then {he} saw a [shiny stone|white feather], but it belonged to {a_friend}.
"[What are you looking for|Why do you look so sad]?" asked {friend}.
"I am looking for a birthday present," said {hero}, "[but I have nothing to give|but I can not find one]."
"[You can sing|You have two good hands]," said {friend}. "[Sing her a song|Make her something good to eat]. [That is better than gold|That is the best present of all]."
So {hero} [went home and made some {food}|made a new song]. [It took all day.|It was not easy, but {he} did {his} best.] In the evening {he} [brought it to her|stood before her and gave her the present].
"This is the best [present|birthday] I have ever had," she said, and she [smiled|laughed] and [took {hero} in her arms|kissed {hero}]. {hero} was <happy>.""",
    "strayed": """<opening>
<oneday> {he} went into the forest to [look for berries|gather wood|pick flowers]. {he} went deeper and deeper, and {he} did not look at the way. When the sun went down, {he} was lost.
"[Where is the road|How shall I find my way home]?" said {hero}. [Everything was dark and still.|The trees were tall and black.] {he} [sat down on a stone|began to cry].
Then {he} heard a voice. It was {a_helper}. "[Why do you sit here in the dark|What are you doing here so late]?" asked {helper}.
"I have lost my way," said {hero}. "[I want to go home.|Can you help me?]"
"[Look up|Do not be afraid]," said {helper}. "[Do you see that bright star? It stands over your house. Follow it|I know every tree in this forest. Come with me], and you will soon be at home."
{hero} did as {he} was told. {he} went past [the old oak|the black pond] and over [the little bridge|the hill], and soon {he} saw a light. It was the light in {his} own window.
<thanks> [The next day {he} brought {h_him} some {food}.|{he} was so tired that {he} fell asleep at once.] <ending>""",
    "stranger": """<opening>
<oneday> {a_friend} came to live [in the house next door|on the other side of the river|under the old tree]. Nobody knew {f_him}, and nobody spoke to {f_him}. "[{f_he} looks strange|We do not need anyone new]," they said.
{hero} saw {friend} sitting all alone. "[Perhaps {f_he} is sad|I know how that feels]," {he} thought. So {he} took some {food} and went to {f_him}.
"Hello," {he} said. "[My house is over there|I live near here]. [Do you like {food}|Will you eat with me]?"
{friend} [looked up|smiled for the first time]. "[Nobody has spoken to me before|You are the first to say hello]," {f_he} said. "[Yes, I would like that|Please sit down]."
They [ate|sat together] and talked. {friend} told {him} about [the sea|the far land that {f_he} came from|{f_his} long journey], and {hero} told {f_him} about [the village|the forest|{his} friends]. [When the others heard them laugh, they came too.|Soon the others came to listen.]
After that, {friend} was never alone. "[It began with one word|One kind word was enough]," {f_he} said. <ending>""",
    "truth": """<opening>
<oneday> {he} was playing in the house [with a ball|and ran too fast], and [the best cup|a big window|the blue bowl] broke. [Nobody had seen it.|{he} was all alone.] {hero} hid the pieces [under the bed|behind the door].
When {his} mother came home, she asked, "Who broke it?"
"[I do not know|It was the cat]," said {hero}. But {he} did not feel well. [{he} could not eat {his} supper.|{he} could not sleep that night.] [The lie lay on {his} heart like a stone.|{he} thought about it all the time.]
[In the morning|At last] {he} went to {his} mother. "It was me," {he} said. "I broke it, and I [told a lie|hid the pieces]. I am sorry."
{his} mother was [silent|quiet] for a moment. Then she said, "[A cup is only a cup|Things can break]. [I am glad that you told me the truth|The truth is worth more to me]."
[They put the pieces together again.|Together they went to buy a new one.] {hero} [felt light again|was glad], and {he} never told a lie again.""",
    "winter": """<opening> All summer long {he} [worked|gathered food], and {his} [house|kitchen] was full of {food}. {his} neighbour was {a_friend}, who [sang|played|slept] all day.
"[Do not work so hard|Come and play]," said {friend}. "[The sun is shining|Winter is far away]."
"[The winter will come|I must think of the winter]," said {hero}, and {he} worked on.
Then the winter came. The snow lay [on the ground|high], and [the river was ice|there was nothing to eat]. {friend} was cold and hungry. {f_he} went to the house of {hero} and knocked.
"[Please give me something to eat|I have nothing to eat]," said {friend}. "[I was foolish|I should have listened to you]."
{hero} could have said no. But {he} [had a good heart|opened the door wide]. "[Come in|Sit down by the fire]," {he} said. "[There is enough for two|You can eat with me, and in the evening you can sing for me]."
So they spent the winter together. {hero} had {food}, and {friend} had songs. When spring came, they [worked together|planted the garden together]. <ending>""",
    "magic": """<opening>
<oneday> {he} [helped an old woman to carry her basket|gave an old woman some {food}|found an old woman by the road and brought her home]. "[You have a good heart|You are kind]," said the old woman, and she gave {him} a {thing}. "[It is magic|This is no common {thing}]. It will give you three wishes. But [be careful what you wish|think well before you wish]!"
{hero} [ran home|could not believe it]. First {he} wished for [a big house|a bag of gold|a fine coat], and there it was. Then {he} wished for [the best food in the world|a table full of {food}], and there it was. But {he} sat all alone in the big room, and nobody [laughed|talked] with {him}.
"[What good is it all|What good is gold without a friend]?" said {hero}. {he} had one wish left. {he} thought about it [all night|for three days]. Then {he} said, "I wish for a [true|good] friend."
There was a knock at the door. Outside stood {a_friend}. "[I saw the light in your window|I am cold and hungry]," {f_he} said. "[May I come in|Can I stay here tonight]?"
"Come in!" said {hero}, and {he} was <happy>. [The magic was gone, but {he} did not need it any more.|The {thing} was now only a {thing}, but {he} did not mind.] <ending>""",
    "king": """Once upon a time there was a king who [could not sleep|could not laugh|was always sad]. [The doctors came, but they could not help him.|Wise men came from far away, but nobody could help.] "[Who helps me shall have a bag of gold|I will give half of my kingdom to the one who helps me]," said the king.
In that land there lived {a_hero}. {he} heard of it and went to the castle. The guards laughed. "[What do you want here|How can you help the king]?" they said.
"[Let me try|I can only try]," said {hero}. So they let {him} in.
{hero} [sat down by the king|looked at the king for a long time]. "[When did you last walk in your garden|When did you last eat with a friend]?" {he} asked.
"[I can not remember|A king has no time for that]," said the king.
"[Then come with me|That is what you need]," said {hero}. {he} took the king [into the garden|to the river|to the village], and there they [sat in the sun|ate some {food}|listened to the birds]. {hero} told him [a story|a funny story about a {beast}|about {his} little house]. And the king [laughed for the first time in years|closed his eyes and fell asleep|smiled and was not sad any more].
"[You shall have your gold|Ask for whatever you like]," said the king.
"I do not need [gold|much]," said {hero}. "[But come and see me some day|I would rather have a friend]." And so it was. <ending>""",
    "garden": """<opening>
In spring {he} [found|was given] a small brown seed. "[It is only a seed|That is nothing]," said {a_friend}. "[Throw it away|What do you want with it]?"
But {hero} put it in the ground, and every day {he} gave it water. [One day went by, and nothing came.|{he} waited a week, but there was nothing to see.] "[You see|I told you so]," said {friend}. "[Nothing will come|It is dead]."
"[I can wait|Good things take time]," said {hero}.
Then, after a warm rain, there was a little green leaf. It grew and grew. In summer it was as tall as {hero}, and [a yellow flower opened|it was full of flowers]. [The bees came, and the birds sang in it.|Everyone in the village came to look at it.]
"[It is beautiful|I was wrong]," said {friend}. "[How did you do it|Can you teach me]?"
"[I gave it water, and I waited|The sun and the rain did it]," said {hero}. In autumn {he} gave {friend} a new seed, and the next spring there were two flowers. <ending>""",
    "race": """<opening> {he} was [very slow|not quick], but {he} [never stopped|was patient]. In the same place lived {a_friend}, who was very quick and very proud.
"[You are so slow|I have never seen anyone so slow]," said {friend}, and {f_he} laughed.
"[Let us run a race|I want to run a race with you]," said {hero}. "[Then we will see who wins|To the old tree and back]."
[All the animals|All the people] came to see the race. At the beginning {friend} was far ahead. "[I have so much time|{hero} will need all day]," thought {friend}. So {f_he} [lay down in the grass and fell asleep|stopped to eat some {food}|sat down to rest].
{hero} went on, step by step. {he} did not stop, and {he} did not look back. When {friend} [woke up|looked up], {hero} was almost at the end. {friend} ran as fast as {f_he} could, but it was too late. {hero} had won.
"[I can not believe it|I do not understand it]," said {friend}.
"[I did not stop|You are quick, but I was steady]," said {hero}. [Slow and steady wins the race.|After that {friend} never laughed at {him} again.]""",
    "fish": """<opening>
<oneday> {he} [took a boat and went fishing|went down to the sea to fish]. All day {he} caught nothing. In the evening {he} caught a [little golden|big silver] fish. The fish opened its mouth and spoke. "[Let me go|Please let me live]," said the fish, "[and I will help you when you need me|and you will not be sorry]."
{hero} was surprised. "[A fish that can talk should live in the sea|Go home, little fish]," {he} said, and {he} put the fish back into the water.
[Soon after that|A few days later] there came a great storm. The [waves were high|wind was strong], and the little boat [was full of water|turned over]. "[Help|Help me]!" cried {hero}.
Then the fish came with [a hundred friends|its brothers and sisters]. They [carried {him} to the shore|pushed the boat to the land]. "[You were kind to me|You gave me my life]," said the fish, "[and now I have helped you|and now I give you yours]."
{hero} thanked the fish. [From that day on {he} always brought some bread for the fish.|After that, {he} came to the sea every evening to talk with the fish.] <ending>""",
    "robot": """[Once upon a time there was|In a small town there lived|There was once] a little robot [called|named] [Bit|Rusty|Spark|Bolt]. The robot could [count|add] very fast, but it [did not know any stories|did not know what a friend was]. It lived with a girl named {girl}.
"[What is a friend|What is a story]?" the robot asked one day.
{girl} thought for a moment. "[That is hard to say|I can not tell you, but I can show you]," she said. She took the robot by the hand, and they went [into the garden|to the park|to the river]. They [played|looked at the clouds|walked in the rain] all day.
[In the evening|On the way home] {girl} fell and hurt her knee. The robot [carried her home|picked her up], and it [put a bandage on her knee|sat by her bed until she slept].
"[Why did you help me|Why did you do that]?" asked {girl}.
"[I do not know|I wanted you to be happy]," said the robot. "[It was not in my program|I did not have to count to know that]."
{girl} [smiled|laughed]. "[Now you know|You see]," she said. "That is [what a friend is|what friends are for]." And the robot [was happy|made a happy little sound].""",
    "kite": """<opening>
It was a windy day, and {hero} went up the hill to fly {his} kite. The kite went up and up, until it was as small as a bird. Then the wind [blew very hard|turned], and the kite [got caught in a tall tree|flew away over the forest].
"[Oh no|My poor kite]!" cried {hero}. {he} [tried to climb the tree, but it was too high|ran after it, but it was too fast].
{a_friend} was [sitting on a branch|walking by]. "[What are you looking at|Why do you shout]?" asked {friend}.
"[My kite is up there|I have lost my kite]," said {hero}. "[I made it myself|It was a present]."
"[Wait here|That is easy]," said {friend}. {f_he} [climbed up the tree|went up quickly], [took the kite|pulled the string], and [brought it down|let it fall].
"[You are very brave|That was wonderful]," said {hero}. "Do you want to fly it [with me|too]?"
So they flew the kite together until the sun went down. <ending>""",
    "night": """<opening>
One night {he} could not sleep. {he} went [to the window|out of the house] and looked up. The moon was [round and white|big and bright].
"[Are you alone up there|Do you never sleep]?" asked {hero}.
"[I have the stars|I sleep in the day]," said the moon. "[But I like it when someone talks to me.|And you? Why are you awake?]"
"[I am thinking of tomorrow|I can not stop thinking]," said {hero}. "[Tomorrow I must go to a new place, and I am afraid|I have had a bad day]."
"[I see many places|I have seen many nights]," said the moon. "[Everywhere there is someone who looks up at me|After every night there comes a morning]. [So you are never quite alone|The sun has never been late]."
{hero} [smiled|thought about it]. [The wind was soft, and the leaves moved.|Far away an owl called.] {he} went back to bed, and the moon shone through the window until {he} was asleep.
In the morning [the sun was shining|the birds were singing], and {hero} was [glad|not afraid any more].""",
    "daughter": """[Once upon a time|Long ago|Once] [in <land>|] there [lived|was] a king who had a daughter. [She was beautiful and clever, but she never laughed.|He loved her more than all his gold.|She was kind to everyone, and the people loved her.] [Her name was {girl}.|The princess was called {girl}.|]
One day the princess [became ill|lost her golden ring in the well|said, "I will only marry the man who can make me laugh"]. [The king was very sad.|The king did not know what to do.] "[Who helps my daughter shall have half of my kingdom|I will give a bag of gold to anyone who can help]," he said. [Many princes came, but none of them could help.|Wise men came from every land, but it was no use.]
Then {a_hero} came to the castle. "[What do you want here|Who are you]?" asked the king.
"[I have heard that the princess needs help|I would like to help your daughter]," said {hero}.
The king laughed. "[I do not believe it|Many have tried]," he said. "[But you may try|Go in and try]." So {hero} went in. {he} [sat down by the princess and told her a story|brought her some {food} from the garden|sang a song for her], and [after a while she smiled|the princess laughed for the first time in a year|in three days all was well again].
"[Ask for what you like|You have done what no prince could do]," said the king.
"[I only wanted to help|I do not need gold]," said {hero}, "[but I would like to come to the castle again|and the smile of the princess is enough for me]." [The king was so glad that he gave a great feast.|And the princess and {hero} were good friends from that day on.] And they lived happily ever after.""",
    "sons": """[Once upon a time|Long ago|There was once a time when] [a farmer|a miller|an old woman|a king] had three sons. The [first|eldest] was strong, the second was clever, and the youngest was [kind|small and quiet]. One day the [well was dry|cow was lost|great bell was gone]. "[Go and look for help|Go out into the world]," they were told. "[Who comes back with good news shall have the house|Come back before the winter]."
The eldest went first. On the road he met an old man who was hungry. "Give me something to eat," said the old man. "[I have no time|Go away]," said the eldest. He lost his way and came home with nothing.
Then the second went. He met the old man too. "[I need my bread myself.|Why should I give you my bread?]" he said. He too came home with nothing.
Then the youngest went. When the old man asked him, he sat down and [shared his bread with him|gave him half of his bread]. "[You have a good heart|You are better than your brothers]," said the old man. "[Go to the third hill, and look under the stone|Follow the little {beast}, and it will show you the way]."
The youngest did as he was told, and [there he found what they needed|he came home with good news]. The others were [surprised|ashamed]. "[How did you do it|Who helped you]?" they asked.
"[I shared my bread|I only listened to an old man]," said the youngest. And they lived together in peace.""",
    "oldwoman": """[Once upon a time|Long ago|In the forest] there [was|stood] a small house, and in the house there lived an old woman with her [cat|dog|hen|goat]. [They were fond of each other.|They had little, but they were happy.] Every [morning|evening] the old woman [made a fire|baked bread|sat by the window].
<oneday> there was a knock at the door. Outside stood {a_hero}, [cold and wet|tired and hungry]. "[May I come in|Can I stay here tonight]?" asked {hero}.
"[Come in|You are welcome]," said the old woman. "[There is soup on the fire|Sit down and get warm]." {hero} sat down by the fire and ate some {food}. [Then {hero} told the old woman about a long journey.|It was warm, and the wind cried outside.]
In the morning {hero} [cut wood for the old woman|mended the roof|brought water from the well]. "[But you are my guest|You do not have to work]," said the old woman.
"[You were kind to me|You gave me a warm place]," said {hero}. "[Now I want to help you|I will not forget it]."
{hero} stayed for [three days|the whole winter], and [when they said goodbye, the old woman gave {hero} a {thing}|in the end {hero} never went away again]. And they were happy.""",
    "short": """<opening>
<oneday> {he} met {a_friend}. "[Why are you so sad|Why do you sit here alone]?" asked {hero}.
"[I have nobody to play with|I have no friends]," said {friend}.
"[Then play with me|I will be your friend]," said {hero}. So they [played all day|walked through the fields|ran down the hill], and in the evening they ate some {food}. <ending>""",
    "short2": """<opening>
<oneday> {he} found a {thing} [on the road|under a tree|by the river]. "[Whose is this|Who has lost this]?" {he} asked. {he} went from house to house, and at last {he} came to {a_friend}.
"[That is mine|You have found it]!" said {friend}. "[I have looked for it all day|I thought that it was gone]. Thank you!"
"[I am glad|You are welcome]," said {hero}. {friend} gave {him} some {food}, and they [talked|sat together] until it was dark. <ending>""",
}

ESSAYS = {
    "ai": ["[The future of AI is|The future of artificial intelligence is] [not written yet|in our hands|hard to know, but it is full of hope|bright, if we are careful|full of questions|what we make of it].",
           "[Nobody knows what the next years will bring.|Nobody can say today what machines will do tomorrow.]",
           "[Today|Already] machines can [read|write], [answer questions|play games], and [help people with their work|talk with us].",
           "They learn from [many examples|texts that people have written], and [they still make mistakes|they do not always understand what they say].",
           "[Some people are afraid of them, and some are full of hope.|Some people think that machines will do all the work, but others do not think so.]",
           "A machine is a tool. [It can be used well or badly.|What it does depends on the people who use it.]",
           "[In the future, machines may help doctors, teachers, and farmers.|In the future, a small computer may help every child to learn.]",
           "But [people will still have to think for themselves|people will still need friends, stories, and good questions|we must always ask if the answer is true].",
           "[So the most important thing is to learn, and to be kind.|So it is good to know how these machines work.]"],
    "model": ["A language model is a program that [writes one word after another|guesses the next word].",
              "It [has read many texts|learns from many texts], and [for each new word it asks which one fits best|it remembers which words go together].",
              "[A small model knows only a little.|A big model knows more than a small one.]",
              "[It cuts the text into small pieces, and these are called tokens.|The text is cut into tokens, and each token is a number.]",
              "[Then it gives each possible token a number, and it picks one of them.|Then it picks the next token, and begins again.]",
              "[It can tell a story, but it does not know if the story is true.|What it says sounds good, but it is not always true.]"],
    "computer": ["A computer is a machine that works with numbers.", "[It can add, count, and remember very fast.|It can do many millions of steps in one second.]",
                 "[Long ago, a computer was as big as a room.|The first computers were as big as a house.] [Today|Now] it fits in a [pocket|hand].",
                 "People write programs, and a program tells the computer what to do, step by step.",
                 "[A computer does what it is told, even when it is wrong.|If there is a mistake in the program, the computer will make it again and again.]",
                 "[We use computers to write, to learn, and to talk with friends who are far away.|Computers help us in schools, in shops, and in hospitals.]"],
    "robot": ["A robot is a machine that can move and do work.", "[Some robots build cars, and some clean the floor.|Some robots work in factories, and some go to the bottom of the sea.]",
              "[A robot does not get tired, and it is never hungry.|A robot can work day and night.]", "But a robot [does not feel joy or fear|only does what its program says].",
              "[In the future, robots may help old people at home.|In the future, there may be a robot in every house.]", "[It is good when robots do the hard work and people have time for each other.|We should build robots that are safe and kind.]"],
    "future": ["The future is [the time that has not come yet|what will happen tomorrow and after that].", "[Nobody can see the future.|Nobody knows it, but everyone thinks about it.]",
               "[When we are young, the future seems long.|Children ask what they will be when they are grown.]", "[What we do today changes what will be tomorrow.|If we plant a tree today, someone will sit under it one day.]",
               "[So it is good to work, to learn, and to hope.|We can not choose everything, but we can choose to be kind.]"],
    "sun": ["The sun is a star.", "It is very [big|hot] and very far away.", "[It gives us light and warmth.|Without the sun it would be dark and cold.]", "In the morning it rises in the east, and in the evening it sets in the west.", "[Plants need the light of the sun to grow.|When the sun shines, people like to be outside.]"],
    "rain": ["Rain is water that falls from the clouds.", "[The sun warms the sea, and some of the water rises into the air.|Water rises into the air, and there it makes clouds.]", "When the clouds are full, it rains.", "[The rain fills the rivers and the lakes.|The rain makes the grass green.]", "[Farmers are glad when it rains, but not when it rains too much.|After the rain you can sometimes see a rainbow.]"],
    "seasons": ["There are four seasons in a year: spring, summer, autumn, and winter.", "In spring the [flowers open|trees become green] and the birds come back.", "In summer the days are long and warm.", "In autumn the leaves turn yellow and red, and [they fall to the ground|the apples are ripe].", "In winter it is cold, and sometimes it snows.", "[Then the spring comes again.|Every season is beautiful in its own way.]"],
    "fox": ["A fox is an animal with red fur and a long tail.", "It lives in the [forest|fields], and it [sleeps in a hole in the ground|hunts at night].", "[Foxes eat mice, birds, and berries.|A fox can hear a mouse under the snow.]", "[In old stories the fox is clever.|People say that the fox is clever, and in many stories it plays tricks.]"],
    "dog": ["A dog is an animal that lives with people.", "[It has four legs, a tail, and a good nose.|It can smell much better than we can.]", "[Dogs like to run, to play, and to be with their friends.|A dog is glad when its people come home.]", "[Some dogs guard the house, and some help with the sheep.|A dog needs food, water, and a long walk every day.]", "[Many people say that a dog is the best friend of man.|A good dog is a true friend.]"],
    "cat": ["A cat is a small animal with soft fur.", "[It can climb, and it can see well in the dark.|It sleeps most of the day, and at night it is awake.]", "[Cats catch mice.|A cat likes milk and fish.]", "[When a cat is happy, it makes a soft sound.|A cat goes where it likes.]"],
    "bird": ["Birds are animals with wings and feathers.", "[Most birds can fly, but some can not.|They fly from tree to tree and build nests.]", "[Their young come out of eggs.|In the nest there are eggs, and out of the eggs come young birds.]", "[In autumn many birds fly to the south, where it is warm.|In the morning you can hear them sing.]"],
    "sea": ["The sea is [wide|deep] and full of salt water.", "[Many animals live in it: fish, crabs, and whales.|Fish live in it, and ships sail on it.]", "[Sometimes the sea is calm, and sometimes there are high waves.|When the wind is strong, the waves are high.]", "[Sailors know the stars, and so they find the way home.|Children like to play on the beach and look for shells.]"],
    "moon": ["The moon goes around the earth.", "[It has no light of its own. It shines because the sun shines on it.|We see it because the sun shines on it.]", "Sometimes it is round, and sometimes it is thin.", "[People have walked on the moon.|There is no air on the moon, and nothing grows there.]"],
    "book": ["A book is a good friend.", "[When you read, you can travel to far countries and stay at home.|In a book you can meet kings, foxes, and giants.]", "[Some books are funny, and some are sad.|There are books for children and books for old people.]", "[A book can be read again and again.|The best books are read many times.]", "[Who reads much learns much.|It is nice to read in the evening, when the house is quiet.]"],
    "bread": ["Bread is made from flour, water, and salt.", "[The baker mixes them and waits until the dough has risen.|First you mix the flour with water, and then you wait.]", "Then the bread goes into a hot oven.", "[After an hour it is brown, and the whole house smells good.|When it is brown, it is ready.]", "[Fresh bread with butter is very good.|People have made bread for thousands of years.]"],
    "tree": ["A tree has roots, a trunk, branches, and leaves.", "[The roots drink water from the ground.|With its roots it holds on to the earth.]", "[Birds build their nests in it, and squirrels look for nuts.|Many animals live in a tree.]", "[A tree can be older than any man.|Some trees live for hundreds of years.]", "[In the shade of a tree it is cool in summer.|When a tree falls, the light comes in, and young trees grow.]"],
    "school": ["At school children learn to read, to write, and to count.", "[The teacher stands in front and explains.|The teacher asks questions, and the children answer.]", "[Some children like numbers, and some like stories.|Some things are easy, and some things are hard.]", "[In the break they play outside.|It is not bad to make mistakes, for that is how we learn.]"],
    "friend": ["A friend is someone who [likes you as you are|is glad to see you].", "[With a friend you can laugh and play.|You can tell a friend what makes you sad.]", "[Friends do not always agree, but they listen to each other.|Sometimes friends are angry, but then they say that they are sorry.]", "[To have a friend, you must be a friend.|A good friend helps you when you need help.]"],
    "train": ["A train runs on rails.", "[It goes from town to town and carries people and things.|It can carry hundreds of people.]", "[The first trains were driven by steam.|Long ago the trains were driven by coal and steam.]", "[From the window you can see fields, rivers, and villages.|It is nice to sit at the window and look out.]"],
}
