"""Services beside the tariffs, who has them, and what can be lent.

Rules of this file: both Kazakh networks offer services of the same make at prices of their own; a service that somebody
has ended stays ended.
"""

from __future__ import annotations

import datetime

from billing_core.database import Connection
from billing_core.seeding.ranges import DEMO_NUMBERS, RANGES, held_since, seeded_holders

# name in kk, ru, en; conditions in kk, ru, en
_TEXTS = {
    "abroad-calls": (
        *("ТМД-ға қоңыраулар", "Звонки в страны СНГ", "Calls to the CIS"),
        "Ай сайын ТМД елдерінің нөмірлеріне қоңырау шалуға 60 минут.",
        "60 минут в месяц на звонки в страны СНГ.",
        "60 minutes a month for calls to the countries of the CIS.",
    ),
    "antispam": (
        *("Антиспам", "Антиспам", "Antispam"),
        "Жарнамалық және алаяқтық нөмірлерден келген қоңыраулар туралы ескертеді.",
        "Предупреждает о звонках с рекламных и мошеннических номеров.",
        "Warns of calls from advertisers and fraudsters.",
    ),
    "calls-100": (
        *("Басқа желілерге 100 мин", "100 мин на другие сети", "100 min to others"),
        "Қазақстандағы басқа операторлардың нөмірлеріне ай сайын 100 минут.",
        "100 минут в месяц на номера других операторов Казахстана.",
        "100 minutes a month to numbers of other operators in Kazakhstan.",
    ),
    "hidden-number": (
        *("Жасырын нөмір", "Скрытый номер", "Hidden number"),
        "Сіз қоңырау шалғанда нөміріңіз көрсетілмейді.",
        "Ваш номер не показывается тому, кому вы звоните.",
        "Your number is not shown to those whom you call.",
    ),
    "internet-20": (
        *("Интернет +20 ГБ", "Интернет +20 ГБ", "Internet +20 GB"),
        "Ай сайын тарифке қосымша 20 ГБ. Қалған трафик келесі айға ауыспайды.",
        "20 ГБ в месяц сверх тарифа. Остаток на следующий месяц не переносится.",
        "20 GB a month on top of the tariff. What is left is not carried over.",
    ),
    "internet-5": (
        *("Интернет +5 ГБ", "Интернет +5 ГБ", "Internet +5 GB"),
        "Ай сайын тарифке қосымша 5 ГБ. Қалған трафик келесі айға ауыспайды.",
        "5 ГБ в месяц сверх тарифа. Остаток на следующий месяц не переносится.",
        "5 GB a month on top of the tariff. What is left is not carried over.",
    ),
    "internet-day": (
        *("Күн сайын 1 ГБ", "1 ГБ каждый день", "1 GB every day"),
        "Күн сайын 1 ГБ. Пайдаланылмаған трафик түн ортасында күйіп кетеді.",
        "1 ГБ на каждый день. Неиспользованный остаток сгорает в полночь.",
        "1 GB for each day. What is left lapses at midnight.",
    ),
    "melody": (
        *("Гудок орнына әуен", "Мелодия вместо гудка", "Ringback tune"),
        "Сізге қоңырау шалғандар гудоктың орнына әуен естиді.",
        "Те, кто вам звонит, слышат мелодию вместо гудков.",
        "Those who call you hear a tune instead of the ringing tone.",
    ),
    "night": (
        *("Түнгі шексіз", "Ночной безлимит", "Unlimited night"),
        "Түнгі 00:00 мен 08:00 аралығында ел ішінде шексіз интернет.",
        "Безлимитный интернет по стране с 00:00 до 08:00.",
        "Unlimited internet within the country from 00:00 to 08:00.",
    ),
    "roaming": (
        *("Роуминг пакеті", "Роуминг-пакет", "Roaming pack"),
        "Ай сайын шетелде 30 минут пен 1 ГБ. Елдер тізімі сайтта.",
        "30 минут и 1 ГБ в месяц за границей. Список стран на сайте.",
        "30 minutes and 1 GB a month abroad. The countries are listed on the site.",
    ),
    "sms-100": (
        *("100 SMS", "100 SMS", "100 SMS"),
        "Ел ішіндегі кез келген нөмірге ай сайын 100 SMS.",
        "100 SMS в месяц на любые номера внутри страны.",
        "100 SMS a month to any number within the country.",
    ),
    "social": (
        *("Әлеуметтік желілер", "Соцсети", "Social networks"),
        "Әлеуметтік желілер мен мессенджерлердің трафигі пакеттен шегерілмейді.",
        "Трафик соцсетей и мессенджеров не расходует пакет.",
        "Traffic of social networks and messengers is not taken from the package.",
    ),
    "voicemail": (
        *("Дауыстық пошта", "Голосовая почта", "Voicemail"),
        "Жауап бере алмасаңыз, қоңырау шалушы хабарлама қалдырады. Ол 7 күн сақталады.",
        "Если вы не ответили, звонящий оставит сообщение. Оно хранится 7 дней.",
        "When you cannot answer, the caller leaves a message, which is kept for 7 days.",
    ),
    "who-called": (
        *("Кім қоңырау шалды?", "Кто звонил?", "Who called?"),
        "Телефоныңыз өшірулі немесе желіден тыс болғанда кім қоңырау шалғанын SMS арқылы хабарлайды.",
        "Сообщает по SMS, кто звонил, пока телефон был выключен или вне сети.",
        "Tells you by SMS who called while your phone was off or out of reach.",
    ),
}

# network, beginning of ids, and fee in hundredths with its period by service
_OFFERED = (
    (
        *("kcell", "kcell"),
        {
            **{"antispam": (14_900, "month"), "calls-100": (59_000, "month"), "hidden-number": (2_500, "day")},
            **{"internet-20": (149_000, "month"), "internet-5": (59_000, "month"), "internet-day": (9_900, "day")},
            **{"melody": (19_900, "month"), "night": (79_000, "month"), "roaming": (299_000, "month")},
            **{"sms-100": (29_000, "month"), "social": (49_000, "month"), "who-called": (0, "month")},
        },
    ),
    (
        *("beeline-kz", "bkz"),
        {
            **{"abroad-calls": (69_000, "month"), "antispam": (500, "day"), "calls-100": (64_000, "month")},
            **{"internet-20": (139_000, "month"), "internet-5": (55_000, "month"), "internet-day": (8_900, "day")},
            **{"melody": (700, "day"), "night": (69_000, "month"), "roaming": (349_000, "month")},
            **{"social": (45_000, "month"), "voicemail": (9_900, "month"), "who-called": (0, "month")},
        },
    ),
)
_CONNECTED_MAX = 3
_CONNECTED_AFTER = datetime.timedelta(days=30)

# network, beginning of ids, currency, sums in whole units
_LENT = (
    ("kcell", "kcell", "KZT", (250, 500, 750, 1000)),
    ("beeline-kz", "bkz", "KZT", (250, 500, 750, 1000)),
    ("megacom", "mega", "KGS", (50, 100)),
    ("beeline-kg", "bkg", "KGS", (50, 100)),
    ("o", "o", "KGS", (50, 100)),
)
_LENT_PERCENT = 10

_ADD_SERVICE = """
INSERT INTO services (service_id, network, name_kk, name_ru, name_en, conditions_kk, conditions_ru, conditions_en,
                      currency, fee_minor, fee_period)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'KZT', $9, $10)
ON CONFLICT DO NOTHING
"""
_CONNECT = """
INSERT INTO connected_services (subscriber_id, service_id, since)
SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM connected_services WHERE subscriber_id = $1 AND service_id = $2)
"""
_ADD_OFFER = """
INSERT INTO extra_balance_offers (offer_id, network, currency, sum_minor, fee_minor)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""


async def seed_services(connection: Connection) -> None:
    """Adds the services and the offers of extra balance that are missing."""
    services = [
        (f"{begins}-{name}", network, *_TEXTS[name], *fee)
        for network, begins, fees in _OFFERED
        for name, fee in fees.items()
    ]
    offers = [
        (f"{begins}-{units}", network, currency, units * 100, units * _LENT_PERCENT)
        for network, begins, currency, sums in _LENT
        for units in sums
    ]
    async with connection.transaction():
        await connection.executemany(_ADD_SERVICE, services)
        await connection.executemany(_ADD_OFFER, offers)


async def connect_services(connection: Connection) -> None:
    """Connects none to three services to each of the first numbers; those that they never had."""
    rows = []
    for network, begins, fees in _OFFERED:
        numbers, names = next(each for each in RANGES if each.network == network), list(fees)
        for n, subscriber in (await seeded_holders(connection, numbers, DEMO_NUMBERS)).items():
            chosen = [names[(n + 5 * at) % len(names)] for at in range(n % (_CONNECTED_MAX + 1))]
            rows += [(subscriber, f"{begins}-{name}", held_since(n) + _CONNECTED_AFTER) for name in chosen]
    await connection.executemany(_CONNECT, rows)
