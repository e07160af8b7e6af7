// The messages of the flows, of the key that is proposed, and of what orders that stopped have in common.
export const flowsEn = {
  flows: 'Flows', flowsLead: 'The way that orders take', flowSources: { declared: 'declared', accepted: 'learned and accepted', learned: 'learned, not accepted yet', none: 'not known yet' } as Record<string, string>,
  learnedFrom: (n: string, word: string) => `learned from ${n} ${word}`, completedOrderWord: ['completed order', 'completed orders', 'completed orders'],
  tooFewSeen: (n: string, least: string) => `${n} completed so far; something can be learned from ${least} on.`,
  flowOf: (key: string) => `Followed by ${key}`, acceptedBy: (who: string, when: string) => `Accepted by ${who}, ${when}`,
  stepHead: 'Step', deadlineHead: 'Deadline', proposedHead: 'Proposed', fromHops: (n: string, word: string) => `from ${n} ${word}`, hopWord: ['time', 'times', 'times'], medianHead: 'Usually', p99Head: '99 of 100', takenHead: 'Taken by', differsHead: 'What differs',
  differences: { no_deadline: 'no deadline is declared: the proposed one is used', too_tight: 'orders take longer than it allows', too_loose: 'it allows far more than orders take', passed_by: 'many orders pass it by', not_seen: 'no completed order took it', not_in_it: 'orders take it, the flow has no such step' } as Record<string, string>,
  provisionalMark: 'learned', optionalMark: 'may be passed by', endsMark: 'ends it', cancelsMark: 'cancels it', conditionHead: 'Reached by', nothingDiffers: 'as declared',
  accept: 'Accept', acceptAll: 'Accept what is proposed', acceptStep: (step: string) => `Accept the proposed deadline of ${step}`, withdraw: 'Withdraw what was accepted', showYaml: 'As YAML, for --flows', onlyOperators: 'Who may operate can accept this.',
  provisionalSays: 'Until it is accepted it is used, and each verdict that rests on it says so and is less sure. What is declared always holds.',
  noFlows: 'No orders are followed yet: no key is configured.', refusedSteps: (n: string, word: string) => `${n} ${word} found no place among the steps.`, operationWord: ['operation', 'operations', 'operations'],
  // -- The key
  keyTitle: 'What may name your orders', keyRead: (n: string, word: string) => `from ${n} ${word}`, keyFew: 'Too few traces have come to tell.', keyNone: 'No attribute names a business object: none has many values that are each in several traces and services.',
  keyWhy: (values: string, several: string, services: string, word: string, coverage: string) => `${values} different values, ${several} of them in several traces; ${services} ${word} have it, and ${coverage} of the traces. Follow it with:`,
  keyHead: 'Attribute', inTraces: 'In traces', keyFits: 'fits as well', keyGroup: (of: string) => `each value has several of ${of}`,
  keyFaults: { well_known: 'tells of a call, a machine or a person', secret: 'its name is that of a secret', redacted: 'values were taken out', few_values: 'few values', one_value: 'one value is on very many traces', counts: 'numbers that count', together: 'several values in one trace', one_trace: 'most values are in one trace alone', one_service: 'most values are in one service alone' } as Record<string, string>,
  // -- In common
  commonTitle: 'What those that stopped have in common', commonRead: (stopped: string, healthy: string) => `${stopped} that stopped and ${healthy} that are well were compared`,
  commonCounts: (stopped: string, of: string, healthy: string, ofHealthy: string) => `${stopped} of ${of} that stopped, ${healthy} of ${ofHealthy} that are well`,
  commonAttributes: { 'service.version': 'version', 'host.name': 'host', 'service.instance.id': 'instance', 'messaging.destination.name': 'queue', 'deployment.environment': 'environment', 'deployment.environment.name': 'environment' } as Record<string, string>,
};

export const flowsRu: typeof flowsEn = {
  flows: 'Маршруты', flowsLead: 'Путь, которым идут заказы', flowSources: { declared: 'объявлен', accepted: 'изучен и принят', learned: 'изучен, ещё не принят', none: 'пока неизвестен' },
  learnedFrom: (n, word) => `изучен по ${n} ${word}`, completedOrderWord: ['завершённому заказу', 'завершённым заказам', 'завершённым заказам'],
  tooFewSeen: (n, least) => `Завершено пока ${n}; изучать можно начиная с ${least}.`,
  flowOf: (key) => `Ключ: ${key}`, acceptedBy: (who, when) => `Принял: ${who}, ${when}`,
  stepHead: 'Шаг', deadlineHead: 'Срок', proposedHead: 'Предложено', fromHops: (n, word) => `по ${n} ${word}`, hopWord: ['замеру', 'замерам', 'замерам'], medianHead: 'Обычно', p99Head: '99 из 100', takenHead: 'Проходят', differsHead: 'Что отличается',
  differences: { no_deadline: 'срок не объявлен: действует предложенный', too_tight: 'заказам нужно больше времени', too_loose: 'срок намного больше нужного', passed_by: 'многие заказы его минуют', not_seen: 'ни один завершённый заказ его не прошёл', not_in_it: 'заказы его проходят, в маршруте его нет' },
  provisionalMark: 'изучен', optionalMark: 'можно миновать', endsMark: 'завершает', cancelsMark: 'отменяет', conditionHead: 'Достигается', nothingDiffers: 'как объявлено',
  accept: 'Принять', acceptAll: 'Принять предложенное', acceptStep: (step) => `Принять предложенный срок: ${step}`, withdraw: 'Отозвать принятое', showYaml: 'YAML для --flows', onlyOperators: 'Принять может тот, кому разрешено управлять.',
  provisionalSays: 'Пока не принято, действует временно: каждый вывод на этом основании говорит об этом и менее уверен. Объявленное действует всегда.',
  noFlows: 'Заказы пока не отслеживаются: ключ не настроен.', refusedSteps: (n, word) => `${n} ${word} не нашли места среди шагов.`, operationWord: ['операция', 'операции', 'операций'],
  keyTitle: 'Что может называть ваши заказы', keyRead: (n, word) => `по данным: ${n} ${word}`, keyFew: 'Пришло слишком мало трасс, чтобы судить.', keyNone: 'Ни один атрибут не называет заказ: ни у одного нет множества значений, каждое из которых встречается в нескольких трассах и сервисах.',
  keyWhy: (values, several, services, word, coverage) => `Разных значений: ${values}, из них ${several} — в нескольких трассах; есть в ${coverage} трасс; ${services} ${word}. Отслеживать:`,
  keyHead: 'Атрибут', inTraces: 'В трассах', keyFits: 'тоже подходит', keyGroup: (of) => `у каждого значения несколько ${of}`,
  keyFaults: { well_known: 'описывает вызов, машину или человека', secret: 'по имени — секрет', redacted: 'значения изъяты', few_values: 'мало значений', one_value: 'одно значение в очень многих трассах', counts: 'числа, которые считают', together: 'несколько значений в одной трассе', one_trace: 'почти каждое значение — в одной трассе', one_service: 'почти каждое значение — в одном сервисе' },
  commonTitle: 'Что общего у остановившихся', commonRead: (stopped, healthy) => `сравнены остановившиеся (${stopped}) и исправные (${healthy})`,
  commonCounts: (stopped, of, healthy, ofHealthy) => `у ${stopped} из ${of} остановившихся, у ${healthy} из ${ofHealthy} исправных`,
  commonAttributes: { 'service.version': 'версия', 'host.name': 'хост', 'service.instance.id': 'экземпляр', 'messaging.destination.name': 'очередь', 'deployment.environment': 'окружение', 'deployment.environment.name': 'окружение' },
};
