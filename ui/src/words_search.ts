// The catalogue's part of the search page, the first page and the keys; see words.ts.
export const searchEn = {
  keysEverywhere: 'Everywhere', keysChart: 'In the chart', keyHelp: 'these keys', keyBack: 'back, close', keyBuilder: 'builder', keyChart: 'next kind of chart',
  keyLive: 'live', keyChoices: 'suggestions', keyTake: 'take the suggestion', keyMove: 'next point or cell', keySelect: 'select a time',
  keyChartEnter: 'open, or narrow to it', keyUnselect: 'drop the selection', showKeys: 'Keys',
};

export const searchRu: typeof searchEn = {
  keysEverywhere: 'Везде', keysChart: 'На графике', keyHelp: 'эти клавиши', keyBack: 'назад, закрыть', keyBuilder: 'конструктор', keyChart: 'другой вид графика',
  keyLive: 'вживую', keyChoices: 'подсказки', keyTake: 'взять подсказку', keyMove: 'следующая точка или клетка', keySelect: 'выбрать время',
  keyChartEnter: 'открыть или сузить поиск', keyUnselect: 'снять выделение', showKeys: 'Клавиши',
};
