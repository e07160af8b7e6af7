// Money and days to come as people of each language write them.
import { formatCount } from './format';
import { language, words } from './words';

const NBSP = '\u00a0';

function short(value: number): string {
  const text = value >= 100 ? formatCount(value) : String(Number(value.toPrecision(3)));
  return language === 'ru' ? text.replace('.', ',') : text;
}

// No currency: the price was given without one.
export function formatMoney(amount: number): string {
  if (amount > 0 && amount < 0.01) return `<${language === 'ru' ? '0,01' : '0.01'}`;
  const text = amount >= 100 ? formatCount(amount) : amount.toFixed(2);
  return language === 'ru' ? text.replace('.', ',') : text;
}

// Days to come: precise where few are left.
export function formatDays(days: number): string {
  const count = days < 10 ? Number(days.toPrecision(2)) : Math.round(days);
  if (days > 3650) return `>${NBSP}10${NBSP}${words.years}`;
  if (days > 730) return `${short(days / 365)}${NBSP}${words.years}`;
  return `${short(count)}${NBSP}${words.units.d}`;
}
