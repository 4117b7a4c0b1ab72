"""Whom wallets can pay: categories as they are printed, and the services of each.

Rules of this file:
- What is printed keeps its place: category 14 is "other services", and in it service 14 is DosTek.
- Utilities, and mobile and internet, are reached by entries of their own, and stand in no printed list.
- Every biller has an account of the house, to which the money goes.
"""

from __future__ import annotations

from typing import NamedTuple

from billing_core.database import Connection


class _Accounts(NamedTuple):
    """What the payers' accounts of a service look like; `pattern` is matched as a whole."""

    kind: str
    pattern: str
    digits_min: int
    digits_max: int


class _Terms(NamedTuple):
    """Limits in whole som; the fee: fixed in hundredths, and of the sum in hundredths of a percent."""

    sum_min: int
    sum_max: int
    fee_minor: int
    fee_basis_points: int


class _Service(NamedTuple):
    """Name in ky, ru, en. `biller`: where it has a name of its own, and is not called like the service."""

    service_id: str
    ky: str
    ru: str
    en: str
    accounts: _Accounts
    biller: str | None = None


class _Category(NamedTuple):
    """Name in ky, ru, en. `printed`: its place; 0: none."""

    category_id: str
    printed: int
    ky: str
    ru: str
    en: str
    terms: _Terms
    services: tuple[_Service, ...]


def _digits(least: int, most: int) -> _Accounts:
    return _Accounts("digits", f"[0-9]{{{least},{most}}}", least, most)


_PERSON = _Accounts("inn", "[12][0-9]{13}", 14, 14)
_PAYER = _Accounts("inn", "[012][0-9]{13}", 14, 14)
_PHONE = _Accounts("msisdn", "996[0-9]{9}", 12, 12)
_BANK = _Accounts("digits", "[0-9]{16}", 16, 16)
_CONTRACT, _DECISION, _PLAYER, _METER = _digits(5, 10), _digits(8, 12), _digits(6, 12), _digits(7, 9)

_FREE, _SMALL = _Terms(10, 50_000, 0, 0), _Terms(20, 30_000, 500, 0)
_SHARE, _LARGE = _Terms(10, 20_000, 0, 100), _Terms(50, 100_000, 1_000, 50)

_CATEGORIES = (
    _Category(
        *("state", 1, "Мамлекеттик кызматтар", "Госуслуги", "Government services", _SMALL),
        (
            _Service("state-passport", "Паспорт жана ID-карта", "Паспорт и ID-карта", "Passport and ID card", _PERSON),
            _Service("state-licence", "Айдоочулук күбөлүк", "Водительские права", "Driving licence", _PERSON),
            _Service("state-property", "Мүлктү каттоо", "Регистрация имущества", "Property registration", _PERSON),
        ),
    ),
    _Category(
        *("taxes", 2, "Салыктар", "Налоги", "Taxes", _FREE),
        (
            _Service("tax-income", "Киреше салыгы", "Подоходный налог", "Income tax", _PAYER, "tax-office"),
            _Service("tax-property", "Мүлк салыгы", "Налог на имущество", "Property tax", _PAYER, "tax-office"),
            _Service("tax-land", "Жер салыгы", "Земельный налог", "Land tax", _PAYER, "tax-office"),
            _Service("tax-vehicle", "Унаа салыгы", "Транспортный налог", "Vehicle tax", _PAYER, "tax-office"),
        ),
    ),
    _Category(
        *("fines", 3, "Айып пулдар", "Штрафы", "Fines", _SMALL),
        (
            _Service("fine-traffic", "Жол айып пулдары", "Штрафы за нарушение ПДД", "Traffic fines", _DECISION),
            _Service("fine-safe-city", "Коопсуз шаар", "Безопасный город", "Safe City", _DECISION),
            _Service("fine-parking", "Унаа токтотуу айыбы", "Штрафы за парковку", "Parking fines", _DECISION),
        ),
    ),
    _Category(
        *("education", 4, "Билим берүү", "Образование", "Education", _FREE),
        (
            _Service("education-schools", "Мектептер", "Школы", "Schools", _CONTRACT),
            _Service("education-universities", "Жогорку окуу жайлары", "Вузы", "Universities", _CONTRACT),
            _Service("education-languages", "Тил курстары", "Языковые курсы", "Language courses", _CONTRACT),
        ),
    ),
    _Category(
        *("kindergartens", 5, "Бала бакчалар", "Детские сады", "Kindergartens", _FREE),
        (
            _Service("kindergarten-bishkek", "Бишкек бакчалары", "Детсады Бишкека", "In Bishkek", _CONTRACT),
            _Service("kindergarten-osh", "Ош бакчалары", "Детсады Оша", "In Osh", _CONTRACT),
            _Service("kindergarten-private", "Жеке бала бакчалар", "Частные детсады", "Private ones", _CONTRACT),
        ),
    ),
    _Category(
        *("health", 6, "Саламаттык сактоо", "Медицина", "Health care", _SMALL),
        (
            _Service("health-family", "Үй-бүлөлүк медицина", "Семейная медицина", "Family medicine", _CONTRACT),
            _Service("health-hospitals", "Ооруканалар", "Больницы", "Hospitals", _CONTRACT),
            _Service("health-laboratories", "Лабораториялар", "Лаборатории", "Laboratories", _CONTRACT),
        ),
    ),
    _Category(
        *("banks", 7, "Банктар жана насыялар", "Банки и кредиты", "Banks and loans", _LARGE),
        (
            _Service("bank-kicb", "KICB", "KICB", "KICB", _BANK),
            _Service("bank-aiyl", "Айыл Банк", "Айыл Банк", "Aiyl Bank", _BANK),
            _Service("bank-bakai", "Бакай Банк", "Бакай Банк", "Bakai Bank", _BANK),
        ),
    ),
    _Category(
        *("microcredit", 8, "Микронасыялар", "Микрокредиты", "Microcredit", _LARGE),
        (
            _Service("credit-bereke", "Береке Насыя", "Береке Кредит", "Bereke Credit", _CONTRACT),
            _Service("credit-yntymak", "Ынтымак Насыя", "Ынтымак Кредит", "Yntymak Credit", _CONTRACT),
            _Service("credit-dyikan", "Дыйкан Насыя", "Дыйкан Кредит", "Dyikan Credit", _CONTRACT),
        ),
    ),
    _Category(
        *("insurance", 9, "Камсыздандыруу", "Страхование", "Insurance", _SMALL),
        (
            _Service("insurance-car", "Унаа камсыздандыруу", "Автострахование", "Car insurance", _CONTRACT),
            _Service("insurance-home", "Үйдү камсыздандыруу", "Страхование жилья", "Home insurance", _CONTRACT),
            _Service("insurance-travel", "Саякат камсыздандыруу", "Страхование поездок", "Travel insurance", _CONTRACT),
        ),
    ),
    _Category(
        *("television", 10, "Сыналгы", "Телевидение", "Television", _SHARE),
        (
            _Service("tv-cable", "Кабелдик сыналгы", "Кабельное ТВ", "Cable TV", _CONTRACT),
            _Service("tv-digital", "Санарип сыналгы", "Цифровое ТВ", "Digital TV", _CONTRACT),
            _Service("tv-satellite", "Спутник сыналгысы", "Спутниковое ТВ", "Satellite TV", _CONTRACT),
        ),
    ),
    _Category(
        *("tickets", 11, "Билеттер", "Билеты", "Tickets", _SMALL),
        (
            _Service("tickets-railway", "Темир жол", "Железная дорога", "Railway", _DECISION),
            _Service("tickets-buses", "Шаар аралык автобустар", "Междугородние автобусы", "Intercity buses", _DECISION),
            _Service("tickets-stage", "Концерттер жана театр", "Концерты и театр", "Concerts and theatre", _DECISION),
        ),
    ),
    _Category(
        *("games", 12, "Оюндар", "Игры", "Games", _SHARE),
        (
            _Service("games-pubg", "PUBG Mobile", "PUBG Mobile", "PUBG Mobile", _PLAYER),
            _Service("games-legends", "Mobile Legends", "Mobile Legends", "Mobile Legends", _PLAYER),
            _Service("games-free-fire", "Free Fire", "Free Fire", "Free Fire", _PLAYER),
        ),
    ),
    _Category(
        *("charity", 13, "Кайрымдуулук", "Благотворительность", "Charity", _FREE),
        (
            _Service("charity-children", "Балдарга жардам", "Помощь детям", "Help for children", _PHONE),
            _Service("charity-elderly", "Карыларга жардам", "Помощь пожилым", "Help for the elderly", _PHONE),
            _Service("charity-animals", "Жаныбарларга жардам", "Помощь животным", "Help for animals", _PHONE),
        ),
    ),
    _Category(
        *("other", 14, "Башка кызматтар", "Другие услуги", "Other services", _FREE),
        (
            _Service("parking", "Унаа токтотуучу жайлар", "Парковки", "Car parks", _CONTRACT),
            _Service("taxi", "Такси айдоочулары", "Водителям такси", "Taxi drivers", _PHONE),
            _Service("guarding", "Күзөт кызматы", "Охрана", "Security service", _CONTRACT),
            _Service("door-phone", "Домофон", "Домофон", "Door phone", _CONTRACT),
            _Service("lifts", "Лифттерди тейлөө", "Обслуживание лифтов", "Lift maintenance", _CONTRACT),
            _Service("house-owners", "Үй ээлеринин бирикмеси", "ТСЖ", "House owners", _CONTRACT),
            _Service("press", "Гезит-журналга жазылуу", "Подписка на прессу", "Newspapers", _CONTRACT),
            _Service("sports-clubs", "Спорт клубдары", "Спортивные клубы", "Sports clubs", _CONTRACT),
            _Service("delivery", "Жеткирүү кызматы", "Доставка", "Delivery", _DECISION),
            _Service("hosting", "Хостинг жана домендер", "Хостинг и домены", "Hosting and domains", _CONTRACT),
            _Service("advertising", "Жарнама жана жарыялар", "Реклама и объявления", "Advertising", _CONTRACT),
            _Service("notaries", "Нотариустар", "Нотариусы", "Notaries", _CONTRACT),
            _Service("rent", "Ижара акысы", "Аренда", "Rent", _CONTRACT),
            _Service("dostek", "DosTek", "DosTek", "DosTek", _PAYER),
        ),
    ),
    _Category(
        *("utilities", 0, "Коммуналдык кызматтар", "Коммунальные услуги", "Utilities", _FREE),
        (
            _Service("utility-electricity", "Электр энергиясы", "Электроэнергия", "Electricity", _METER),
            _Service("utility-gas", "Газ", "Газ", "Gas", _METER),
            _Service("utility-water", "Муздак суу", "Холодная вода", "Cold water", _METER),
            _Service("utility-heating", "Жылуулук жана ысык суу", "Тепло и горячая вода", "Heat and hot water", _METER),
            _Service("utility-waste", "Таштанды чыгаруу", "Вывоз мусора", "Waste collection", _METER),
        ),
    ),
    _Category(
        *("mobile", 0, "Мобилдик жана интернет", "Связь и интернет", "Mobile and internet", _FREE),
        (
            _Service("mobile-megacom", "MegaCom", "MegaCom", "MegaCom", _PHONE),
            _Service("mobile-beeline", "Beeline", "Beeline", "Beeline", _PHONE),
            _Service("mobile-o", "O!", "O!", "O!", _PHONE),
            _Service("internet-saima", "Saima Telecom", "Saima Telecom", "Saima Telecom", _PHONE),
            _Service("internet-aknet", "Aknet", "Aknet", "Aknet", _PHONE),
        ),
    ),
)

_ADD_CATEGORY = """
INSERT INTO biller_categories (category_id, position, name_ky, name_ru, name_en)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_ADD_SERVICE = """
INSERT INTO biller_services (service_id, category_id, position, biller, name_ky, name_ru, name_en,
                             account_kind, account_pattern, digits_min, digits_max, currency,
                             sum_min, sum_max, fee_minor, fee_basis_points)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'KGS', $12, $13, $14, $15)
ON CONFLICT DO NOTHING
"""
_OPEN_ACCOUNTS = """
INSERT INTO accounts (kind, owner, currency) SELECT DISTINCT 'biller', biller, currency FROM biller_services
ON CONFLICT DO NOTHING
"""


async def seed_billers(connection: Connection) -> None:
    """Adds the categories, services and billers' accounts that are missing."""
    categories = [(each.category_id, each.printed, each.ky, each.ru, each.en) for each in _CATEGORIES]
    services = [
        (
            *(one.service_id, category.category_id, position, one.biller or one.service_id),
            *(one.ky, one.ru, one.en, *one.accounts, *category.terms),
        )
        for category in _CATEGORIES
        for position, one in enumerate(category.services, 1)
    ]
    async with connection.transaction():
        await connection.executemany(_ADD_CATEGORY, categories)
        await connection.executemany(_ADD_SERVICE, services)
        await connection.execute(_OPEN_ACCOUNTS)
