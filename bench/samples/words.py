"""Words of captions, names, hashtags and places, from which sample_posts.py draws."""

LANGUAGES = (
    """
    the a and of to in on with at for from this that my our we i it is was were are so not but
    what when just one day morning evening light water old new last first time home sea street
    city little long walk back again after before under over through near found made took went
    came see look love like good best never always still only every summer winter spring autumn
    weekend friends family coffee dinner bread garden window door bridge river mountain beach
    forest rain snow sun sky clouds night stars train boat bike road market shop dog cat birds
    trees flowers leaves colours blue red green yellow white black quiet busy cold warm happy
    tired ready
    """,
    """
    el la los las un una y de en con por para que se no es muy más como pero ya hoy ayer mañana
    día tarde noche luz agua mar playa calle ciudad casa vieja nueva primera última vez camino
    vuelta después antes bajo sobre cerca encontré hicimos fuimos vimos mira amor bueno mejor
    nunca siempre todavía solo cada verano invierno primavera otoño amigos familia café cena pan
    jardín ventana puerta puente río montaña bosque lluvia nieve sol cielo nubes estrellas tren
    barco bici mercado
    """,
    """
    der die das ein eine und von zu in auf mit bei für aus nicht aber was wenn nur heute gestern
    morgen tag abend nacht licht wasser meer strand straße stadt haus alt neu erste letzte zeit
    weg zurück wieder nach vor unter über durch nahe gefunden gemacht gesehen schau liebe gut
    beste nie immer noch jeder sommer winter frühling herbst freunde familie kaffee essen brot
    garten fenster tür brücke fluss berg wald regen schnee sonne himmel wolken sterne zug boot
    fahrrad markt hund
    """,
    """
    o a os as um uma e de em com por para que não é muito mais como mas já hoje ontem amanhã dia
    tarde noite luz água mar praia rua cidade casa velha nova primeira última vez caminho volta
    depois antes sobre perto encontrei fizemos fomos vimos olha amor bom melhor nunca sempre
    ainda só cada verão inverno primavera outono amigos família café jantar pão jardim janela
    porta ponte
    """,
    """
    le la les un une et de en avec pour que ne pas est très plus comme mais déjà hier demain
    jour soir nuit lumière eau mer plage rue ville maison vieille nouvelle première dernière
    fois chemin retour après avant sous sur près trouvé fait vu regarde amour bon meilleur
    jamais toujours encore chaque été hiver printemps automne amis famille café dîner pain
    jardin fenêtre porte pont fleuve
    """,
    """
    今日 昨日 明日 朝 夜 光 水 海 街 家 古い 新しい 最初 最後 時間 道 また 後 前 近く 見つけた
    作った 行った 見て 好き 良い いつも まだ 毎日 夏 冬 春 秋 友達 家族 コーヒー 夕食 パン 庭 窓
    橋 川 山 森 雨 雪 空 雲 星 電車 船 自転車 市場 犬 猫 鳥 木 花 青 赤 緑 静か 寒い 暖かい
    楽しい 写真 散歩 帰り道
    """,
    """
    и в на с по для что не это очень как но уже сегодня вчера завтра день вечер ночь свет вода
    море пляж улица город дом старый новый первый последний раз дорога снова после перед под над
    рядом нашли сделали видели смотри любовь хорошо лучше никогда всегда ещё каждый лето зима
    весна осень друзья семья кофе ужин хлеб сад окно дверь мост река гора лес дождь снег солнце
    небо облака
    """,
    """
    في من على مع إلى هذا هذه كان جدا لكن اليوم أمس غدا صباح مساء ليل ضوء ماء بحر شاطئ شارع مدينة
    بيت قديم جديد أول آخر مرة طريق عودة بعد قبل تحت فوق قرب وجدنا رأينا انظر حب جميل أبدا دائما
    كل صيف شتاء ربيع خريف أصدقاء عائلة قهوة عشاء خبز حديقة نافذة باب جسر نهر جبل غابة مطر ثلج
    شمس سماء
    """,
    """
    yang dan di ke dari dengan untuk ini itu tidak sangat lebih tapi sudah hari kemarin besok
    pagi malam cahaya air laut pantai jalan kota rumah lama baru pertama terakhir kali pulang
    lagi setelah sebelum bawah atas dekat ketemu bikin lihat cinta bagus terbaik selalu masih
    setiap teman keluarga kopi makan roti kebun jendela pintu jembatan sungai gunung hutan hujan
    matahari langit awan bintang
    """,
)
"""The words of each language, the commonest first. A caption is of one language."""

SIGNS = "😀 ❤️ 🌊 ☀️ 🌧️ 🍂 📷 ✨ 🐶 🐱 🚲 🍞 ☕ 🌲 🏔️ 🎉 🙌 😍 😂 🔥 🌸 🇵🇹 👩‍🍳 🧡"

NAMES = """
Adaeze Almeida Amira Andersson Ana Aoki Arjun Becker Beatriz Bianchi Bilal Castillo Chidi Chen
Chloe Costa Dagny Demir Daniel Diallo Elif Eriksen Esra Ferrari Fatou Fischer Freya Garcia
Giulia Haddad Hana Hansen Haruto Hoang Ibrahim Ingrid Ito Ivan Jansen Javier Jonas Kamara Kaia
Kimura Kofi Kovac Lars Laine Leila Lopez Lucia Moreau Maja Mensah Mateo Nakamura Nadia Novak
Noor Okafor Olga Ortega Paola Patel Priya Petrov Rafael Rossi Rosa Saito Sana Schmidt Sofía
Silva Tariq Suzuki Théo Tanaka Uma Virtanen Vera Wagner Wei Yılmaz Yara Zhang Zoë Şahin Łucja
Ångström 田中 王 김 李 Мария Иванов
"""

HASHTAGS = """
photooftheday sunset nofilter travel nature streetphotography love sky sea coffee filmisnotdead
weekend light hiking food home winter summer city architecture portrait blackandwhite
dogsofphotofeed cat garden breadbaking cycling friends family throwback morning goldenhour
mountains beach forest rain analog 35mm minimal flowers 写真 風景 verano praia liebe herbst été
море снег kopi
"""

PLACES = """
Lisbon Kyoto Lagos Bergen Istanbul Nairobi Berlin Jaipur Ljubljana Stellenbosch Porto_Alegre
Melbourne Hội_An Edinburgh Oaxaca Tbilisi Accra Montréal Tartu Valparaíso Ghent Medellín 東京
Old_Town_Market Central_Park Praia_da_Rocha Café_Zentral Parque_del_Retiro Gare_du_Nord Невский
North_Beach Botanical_Garden Harbour_Bridge Lake_Bled Plaza_Mayor Alfama São_Paulo Zürich
"""
