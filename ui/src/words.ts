import { traceEn, traceRu } from './trace/words';

// The message catalogue: every sentence of the pages, in each language. A missing one does not compile.
import { componentsEn, componentsRu } from './words_components';
import { accessEn, accessRu } from './words_access';
import { findingsEn, findingsRu } from './words_findings';
import { flowsEn, flowsRu } from './words_flows';
import { incidentsEn, incidentsRu } from './words_incidents';
import { journeyEn, journeyRu } from './words_journey';
import { monitorsEn, monitorsRu } from './words_monitors';
import { searchEn, searchRu } from './words_search';
import { servicesEn, servicesRu } from './words_services';
import { storeEn, storeRu } from './words_store';
import { verdictEn, verdictRu } from './words_verdict';

const own = {
  search: 'Search', services: 'Services', skip: 'To the content', pages: 'Pages',
  queryLabel: 'Search for traces', queryHint: 'service:shop-api duration>1s status:error',
  find: 'Search', rangeLabel: 'Time', range15m: '15 minutes', range1h: 'Last hour', range24h: '24 hours', range7d: '7 days', rangeAll: 'All times',
  when: 'Began', trace: 'Trace', spansHead: 'Spans', errorsHead: 'Errors', duration: 'Duration',
  inServices: 'Services', more: 'Show more', openSpans: 'not ended', noRoot: 'its root has not come',
  traceWord: ['trace', 'traces', 'traces'], spanWord: ['span', 'spans', 'spans'], serviceWord: ['service', 'services', 'services'],
  errorWord: ['error', 'errors', 'errors'],
  nothing: 'No trace fits.', nothingInTime: 'No trace fits in this time.', lookAll: 'Look at all times',
  emptyTitle: 'No traces yet. Send the first one:', emptyNext: 'This page moves on by itself when it arrives.',
  emptySdk: (host: string) => `The usual ports take spans too, unless they were changed: OTLP over gRPC at ${host}:4317, over HTTP at ${host}:4318.`,
  partialTime: 'Not all was looked at: the time for a search was over. Older traces may fit as well.',
  partialBytes: 'Not all was looked at: the bound of bytes to read was reached. Older traces may fit as well.',
  partialDamage: 'Some pages of the store are damaged and were left out.',
  partialOther: 'Not all was looked at.',
  noAnswer: (since: string, next: string) => `The server has not answered since ${since}. Asked again in ${next}.`,
  notRead: 'This could not be read:', slow: 'Still looking…', copy: 'Copy', copied: 'Copied', copyLink: 'Copy link',
  showAll: 'show all', showLess: 'show less',
  noTrace: (id: string) => `No trace ${id}.`, noTraceWhy: 'It may have been deleted after its retention, or its spans have not come yet. A new span can be read at once.',
  noSpan: (id: string) => `This trace has no span ${id}; it may not have come yet.`,
  firstError: 'First error', inService: 'in', noMessage: 'no message was sent',
  tree: 'Spans', rows: (n: string, all: string) => (n === all ? `Rows: ${n}, all shown` : `Rows: ${n} of ${all}, others folded`),
  openAll: 'Open all', closeAll: 'Close all', neverEnded: 'not ended', missingParent: 'its parent has not come', again: 'Read again',
  kind: 'Kind', began: 'Began', lasts: 'Duration', spanId: 'Span id', traceId: 'Trace id', parentId: 'Parent', status: 'Status', scope: 'Scope', service: 'Service',
  statusError: 'Error', statusOk: 'Ok', statusUnset: 'Not set',
  attributes: 'Attributes', events: 'Events', links: 'Links', resource: 'Resource', none: 'none', close: 'Close',
  filterBy: 'Find traces with this value', openLinked: 'Open the linked trace', details: 'Details of the span', dropped: (n: string) => `${n} dropped by the sender`,
  onlyName: 'Only this name', toParent: 'To its parent',
  keys: 'Keys', keyRow: 'next, previous', keyFold: 'close, open', keyError: 'next error', keySearch: 'search', keyGo: 'search, services', keyOpen: 'open',
  rate: 'Rate', errorsShare: 'Errors', name: 'Name', operation: 'Operation',
  noServices: 'No service sent spans in this time.', uncounted: (n: string) => `${n} spans found no place in the counts.`,
  openHere: 'Open to everybody who uses this machine, and to nobody else: this server has no accounts.',
  openToAll: 'This server has no accounts: whoever reaches it on the network may read and write everything.',
  plainToAll: 'This connection is not encrypted: whoever is on the way may listen in.',
  open: 'not ended', noPage: 'There is no such page.', toSearch: 'To the search', suggestions: 'Suggestions', field: 'field', key: 'key', zone: 'Time zone',
  units: { ns: 'ns', us: 'µs', ms: 'ms', s: 's', min: 'min', h: 'h', d: 'd', perS: '/s', perMin: '/min', perH: '/h' },
  byteUnits: ['B', 'kB', 'MB', 'GB', 'TB', 'PB'],
  days: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'],
  months: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
};

const en = {
  ...accessEn,
  ...componentsEn,
  ...findingsEn,
  ...flowsEn,
  ...incidentsEn,
  ...journeyEn,
  ...monitorsEn,
  ...searchEn,
  ...servicesEn,
  ...storeEn,
  ...traceEn,
  ...verdictEn,
  ...own,
};

export type Words = typeof en;

// A name that two parts of the catalogue give does not compile either: one would hide the other.
type Parts = [
  typeof accessEn,
  typeof componentsEn,
  typeof flowsEn,
  typeof incidentsEn,
  typeof journeyEn,
  typeof monitorsEn,
  typeof searchEn,
  typeof servicesEn,
  typeof storeEn,
  typeof traceEn,
  typeof verdictEn,
  typeof own,
];
type Twice<P extends unknown[], Seen = never> =
  P extends [infer First, ...infer Rest] ? (keyof First & Seen) | Twice<Rest, Seen | keyof First> : never;
export const namesTwice: [Twice<Parts>] extends [never] ? false : { isTwice: Twice<Parts> } = false;

const ru: Words = {
  ...accessRu,
  ...componentsRu,
  ...findingsRu,
  ...flowsRu,
  ...incidentsRu,
  ...journeyRu,
  ...monitorsRu,
  ...searchRu,
  ...servicesRu,
  ...storeRu,
  ...traceRu,
  ...verdictRu,
  search: 'Поиск', services: 'Сервисы', skip: 'К содержанию', pages: 'Страницы',
  queryLabel: 'Поиск трасс', queryHint: 'service:shop-api duration>1s status:error',
  find: 'Найти', rangeLabel: 'Время', range15m: '15 минут', range1h: 'Последний час', range24h: '24 часа', range7d: '7 дней', rangeAll: 'Всё время',
  when: 'Начало', trace: 'Трасса', spansHead: 'Спаны', errorsHead: 'Ошибки', duration: 'Длительность',
  inServices: 'Сервисы', more: 'Показать ещё', openSpans: 'не завершена', noRoot: 'корень ещё не пришёл',
  traceWord: ['трасса', 'трассы', 'трасс'], spanWord: ['спан', 'спана', 'спанов'], serviceWord: ['сервис', 'сервиса', 'сервисов'],
  errorWord: ['ошибка', 'ошибки', 'ошибок'],
  nothing: 'Ничего не подходит.', nothingInTime: 'За это время ничего не подходит.', lookAll: 'Искать за всё время',
  emptyTitle: 'Трасс пока нет. Отправьте первую:', emptyNext: 'Страница сама пойдёт дальше, когда трасса придёт.',
  emptySdk: (host) => `Обычные порты тоже принимают спаны, если их не меняли: OTLP по gRPC на ${host}:4317, по HTTP на ${host}:4318.`,
  partialTime: 'Просмотрено не всё: время поиска вышло. Могут подойти и более старые трассы.',
  partialBytes: 'Просмотрено не всё: достигнут предел чтения с диска. Могут подойти и более старые трассы.',
  partialDamage: 'Часть страниц хранилища повреждена и пропущена.',
  partialOther: 'Просмотрено не всё.',
  noAnswer: (since, next) => `Сервер не отвечает с ${since}. Следующая попытка через ${next}.`,
  notRead: 'Не удалось прочитать:', slow: 'Поиск ещё идёт…', copy: 'Копировать', copied: 'Скопировано', copyLink: 'Копировать ссылку',
  showAll: 'показать всё', showLess: 'свернуть',
  noTrace: (id) => `Нет трассы ${id}.`, noTraceWhy: 'Возможно, срок её хранения вышел или её спаны ещё не пришли. Новый спан виден сразу.',
  noSpan: (id) => `В этой трассе нет спана ${id}; возможно, он ещё не пришёл.`,
  firstError: 'Первая ошибка', inService: 'в', noMessage: 'сообщение не прислано',
  tree: 'Спаны', rows: (n, all) => (n === all ? `Строк: ${n}, показаны все` : `Строк: ${n} из ${all}, остальные свёрнуты`),
  openAll: 'Раскрыть всё', closeAll: 'Свернуть всё', neverEnded: 'не завершён', missingParent: 'родитель ещё не пришёл', again: 'Прочитать снова',
  kind: 'Вид', began: 'Начало', lasts: 'Длительность', spanId: 'Id спана', traceId: 'Id трассы', parentId: 'Родитель', status: 'Статус', scope: 'Библиотека', service: 'Сервис',
  statusError: 'Ошибка', statusOk: 'Успех', statusUnset: 'Не задан',
  attributes: 'Атрибуты', events: 'События', links: 'Ссылки', resource: 'Ресурс', none: 'нет', close: 'Закрыть',
  filterBy: 'Найти трассы с этим значением', openLinked: 'Открыть связанную трассу', details: 'Подробности спана', dropped: (n) => `отправитель отбросил: ${n}`,
  onlyName: 'Только это имя', toParent: 'К родителю',
  keys: 'Клавиши', keyRow: 'следующая, предыдущая', keyFold: 'свернуть, раскрыть', keyError: 'следующая ошибка', keySearch: 'поиск', keyGo: 'поиск, сервисы', keyOpen: 'открыть',
  rate: 'Частота', errorsShare: 'Ошибки', name: 'Имя', operation: 'Операция',
  noServices: 'За это время ни один сервис не присылал спанов.', uncounted: (n) => `Не вошло в подсчёт спанов: ${n}.`,
  openHere: 'Открыто всем, кто работает на этой машине, и больше никому: учётных записей на сервере нет.',
  openToAll: 'На сервере нет учётных записей: любой, кто до него доберётся по сети, может всё читать и писать.',
  plainToAll: 'Соединение не зашифровано: его могут прослушать по дороге.',
  open: 'не завершены', noPage: 'Такой страницы нет.', toSearch: 'К поиску', suggestions: 'Подсказки', field: 'поле', key: 'ключ', zone: 'Часовой пояс',
  units: { ns: 'нс', us: 'мкс', ms: 'мс', s: 'с', min: 'мин', h: 'ч', d: 'д', perS: '/с', perMin: '/мин', perH: '/ч' },
  byteUnits: ['Б', 'КБ', 'МБ', 'ГБ', 'ТБ', 'ПБ'],
  days: ['вс', 'пн', 'вт', 'ср', 'чт', 'пт', 'сб'],
  months: ['янв.', 'февр.', 'марта', 'апр.', 'мая', 'июня', 'июля', 'авг.', 'сент.', 'окт.', 'нояб.', 'дек.'],
};

export type Language = 'en' | 'ru';

function stored(): string | null {
  try { return localStorage.getItem('filigree.language'); } catch { return null; }
}

export const language: Language = (stored() ?? navigator.language).startsWith('ru') ? 'ru' : 'en';
export const words: Words = language === 'ru' ? ru : en;

export function chooseLanguage(to: Language): void {
  try { localStorage.setItem('filigree.language', to); } catch { return; }
  location.reload();
}

// The form of a word that goes with a count: [one, few, many].
export function plural(count: number, forms: readonly string[]): string {
  if (language === 'en') return forms[count === 1 ? 0 : 1]!;
  const tens = count % 100, ones = count % 10;
  if (ones === 1 && tens !== 11) return forms[0]!;
  return forms[ones >= 2 && ones <= 4 && (tens < 12 || tens > 14) ? 1 : 2]!;
}
