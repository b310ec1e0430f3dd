/** Numbers, moments and names as people read them. */

import type { Metric, Options } from '../api/types.ts';
import { labelOf } from '../form/fields.ts';

/** `-1234.5` with two digits -> `−1,234.50`. */
export function formatNumber(value: number, digits: number): string {
  const text = value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return text.replace('-', '−');
}

/** A value of a metric without its unit, a dash when there is none. */
export function formatMetric(value: number | undefined, metric: Metric): string {
  if (value === undefined) return '–';
  return Number.isFinite(value) ? formatNumber(value, metric.digits) : 'not finite';
}

/** About four significant digits, for numbers whose scale is not known beforehand. */
export function formatLoose(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2);
  const digits = Math.max(0, 3 - Math.floor(Math.log10(size)));
  return formatNumber(value, Math.min(digits, 4));
}

/** `5040000` -> `5.04 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${formatNumber(value, unit === 0 ? 0 : value < 10 ? 2 : 1)} ${units[unit]}`;
}

/** `171` -> `2 min 51 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${formatNumber(seconds, 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A remaining or expected time, rounded the way a person would: `about 3 minutes`. */
export function formatAbout(seconds: number): string {
  if (seconds < 1.5) return 'a second';
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5 || 5} seconds`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return minutes <= 1 ? 'about a minute' : `about ${minutes} minutes`;
  const hours = Math.round(minutes / 6) / 10;
  return `about ${hours} ${hours === 1 ? 'hour' : 'hours'}`;
}

/** `2024-10-30` -> `30 October 2024`. */
export function formatDate(date: string): string {
  return inUtc(date, { day: 'numeric', month: 'long', year: 'numeric' });
}

/** `2024-10-30` -> `30 Oct 2024`. */
export function formatShortDate(date: string): string {
  return inUtc(date, { day: 'numeric', month: 'short', year: 'numeric' });
}

/** `2024-10-30` -> `October 2024`. */
export function formatMonth(date: string): string {
  return inUtc(date, { month: 'long', year: 'numeric' });
}

/** `2024-10-30` -> `30 Oct`. */
export function formatDay(date: string): string {
  return inUtc(date, { day: 'numeric', month: 'short' });
}

function inUtc(date: string, options: Intl.DateTimeFormatOptions): string {
  return new Date(`${date}T00:00:00Z`).toLocaleDateString('en-GB', {
    timeZone: 'UTC',
    ...options,
  });
}

/** A moment in the reader's time zone: `25 Nov 2026, 14:02`. */
export function formatMoment(moment: string): string {
  return new Date(moment).toLocaleString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
}

/** Names of at most `limit` authors, and how many more there are. */
export function formatAuthors(authors: readonly string[], limit: number): string {
  if (authors.length <= limit + 1) return authors.join(', ');
  return `${authors.slice(0, limit).join(', ')} and ${authors.length - limit} others`;
}

/** `1 paper`, `2 papers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Options in a line: `bits 4 · group size 128`. */
export function formatOptions(options: Options): string {
  return Object.entries(options)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => formatOption(name, value))
    .join(' · ');
}

function formatOption(name: string, value: unknown): string {
  const label = labelOf(name).toLowerCase();
  if (value === true) return label;
  if (value === false) return `no ${label}`;
  return `${label} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
}

/** `/home/me/models/tiny/` -> `tiny`. */
export function lastPart(path: string): string | undefined {
  return path
    .split(/[\\/]/)
    .filter((part) => part !== '' && part !== '.')
    .at(-1);
}
