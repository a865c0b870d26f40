"""Names, places, trades and phrases from which the people and posts of the demo are drawn."""

_FIRST = """
Adaeze Ama Amira Ana Anneke Anouk Arjun Astrid Ayumi Beatriz Bilal Bram Carmen Chidi Chloe Dagny
Daniel Dario Deniz Elif Elio Emeka Esra Farid Fatou Femi Freya Giulia Hana Haruto Hugo Idris Ines
Ingrid Isla Ivan Jana Javier Jonas Juana Kaia Kenji Kofi Lars Leila Lena Lin Lucia Luca Maja Malik
Mara Mateo Mei Mila Milan Nadia Naoki Nia Niko Noor Nora Oskar Paola Pavel Petra Priya Rafael Ravi
Rosa Sana Sefa Selma Sigrid Simon Sofia Soren Tariq Tessa Theo Thandi Tomas Uma Valeria Vera
Viktor Wanjiru Wei Yara Yusuf Zainab Zoe Zuri Aleksi Bela Cosmo Dalia Enzo Flora Goran
"""
FIRST = tuple(_FIRST.split())

_LAST = """
Abara Adeyemi Almeida Amari Andersson Aoki Arslan Baptista Becker Bello Berg Bianchi Bos Castillo
Chen Costa Dahl Demir Diallo Dumont Eriksen Farah Ferrari Fischer Fontaine Garcia Greco Haddad
Hansen Hassan Hoang Ibrahim Ito Jansen Jovanovic Kamara Kaplan Karimi Keller Khan Kimura Kovac
Kumar Laine Larsen Lindqvist Lopez Marino Mbeki Mensah Meyer Moreau Mori Mutua Nakamura Nielsen
Novak Nowak Obi Okafor Olsen Ortega Osei Park Patel Pereira Petrov Pinto Popescu Prasad Ramos Rao
Rossi Saito Salazar Sato Schmidt Sharma Silva Simic Singh Suzuki Takeda Tanaka Toure Vargas
Vasquez Virtanen Visser Vogel Wagner Walker Wang Weber Yamada Yilmaz Zanetti Zhang Zimmer
"""
LAST = tuple(_LAST.split())

PLACES = (
    ("Lisbon", 38.7223, -9.1393),
    ("Kyoto", 35.0116, 135.7681),
    ("Lagos", 6.5244, 3.3792),
    ("Bergen", 60.3913, 5.3221),
    ("Beijing", 39.9042, 116.4074),
    ("Medellín", 6.2442, -75.5812),
    ("Cape Canaveral", 28.3922, -80.6077),
    ("Istanbul", 41.0082, 28.9784),
    ("Nairobi", -1.2921, 36.8219),
    ("Berlin", 52.52, 13.405),
    ("Jaipur", 26.9124, 75.7873),
    ("Ljubljana", 46.0569, 14.5058),
    ("Stellenbosch", -33.9321, 18.8602),
    ("Porto Alegre", -30.0346, -51.2177),
    ("Melbourne", -37.8136, 144.9631),
    ("Hội An", 15.8801, 108.338),
    ("Edinburgh", 55.9533, -3.1883),
    ("Oaxaca", 17.0732, -96.7266),
    ("Tbilisi", 41.7151, 44.8271),
    ("Accra", 5.6037, -0.187),
    ("Montréal", 45.5017, -73.5673),
    ("Tartu", 58.3776, 26.729),
    ("Valparaíso", -33.0472, -71.6127),
    ("Ghent", 51.0543, 3.7174),
)

TRADES = (
    "Baker",
    "Night-shift nurse",
    "Bicycle mechanic",
    "Retired geography teacher",
    "Marine biologist",
    "Luthier",
    "Tram driver",
    "Potter",
    "Astronomy student",
    "Bookbinder",
    "Landscape gardener",
    "Sound engineer",
    "Radio amateur",
    "Stonemason",
    "Coffee roaster",
    "Vet",
    "Translator",
    "Structural engineer",
)

LOVES = (
    "film and long walks",
    "cats, mostly",
    "whatever the light does",
    "old roofs",
    "rockets and strong coffee",
    "things found on the ground",
    "dark skies",
    "flowers that others call weeds",
    "walls with a past",
    "slow trains",
    "microscopes",
    "Sundays",
)

MOODS = (
    "Finally.",
    "Kept this one for last.",
    "The light lasted two minutes.",
    "Second try.",
    "No filter, honestly.",
    "Found it on the way home.",
    "For the wall above the desk.",
    "Could have stayed all day.",
    "Same spot as last year.",
    "My sister says it is blurry. It is.",
    "Worth getting up for.",
    "Small things.",
    "Trying a new lens.",
    "One of a series.",
    "",
)
