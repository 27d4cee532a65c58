/** Durations and moments in words. */
// To make a formatter takes longer than to write all texts of a row, so that each is made once.
const NUMBER = new Intl.NumberFormat('en');
const DAY_AND_MONTH = { day: 'numeric', month: 'short' } as const;
const DAYS = {
  thisYear: new Intl.DateTimeFormat('en-GB', DAY_AND_MONTH),
  otherYear: new Intl.DateTimeFormat('en-GB', { ...DAY_AND_MONTH, year: 'numeric' }),
};
const DATE_AND_TIME = { dateStyle: 'medium', timeStyle: 'medium' } as const;
const MOMENTS = {
  local: new Intl.DateTimeFormat('en-GB', DATE_AND_TIME),
  utc: new Intl.DateTimeFormat('en-GB', { ...DATE_AND_TIME, timeZone: 'UTC' }),
};

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** A countdown: minutes and seconds below an hour. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds >= 3600) return duration(ms);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const DAY = 86_400_000;

/** The age of a moment, or how far away it is. */
export function ago(time: number, now: number): string {
  const age = now - time;
  if (age < -5000 && age > -7 * DAY) return `in ${duration(-age)}`;
  if (Math.abs(age) < 5000) return 'just now';
  if (age >= 0 && age < 7 * DAY) return `${duration(age)} ago`;
  const thisYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return DAYS[thisYear ? 'thisYear' : 'otherYear'].format(time);
}

export function moment(time: number, zone: 'local' | 'utc'): string {
  return `${MOMENTS[zone].format(time)}${zone === 'utc' ? ' UTC' : ''}`;
}

/** Idle timeouts and the like: `15 min`, `never` for 0. */
export function timeout(seconds: number): string {
  return seconds === 0 ? 'never' : duration(seconds * 1000);
}

export function bytes(count: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

export function mebibytes(count: number): string {
  return bytes(count * 1024 * 1024);
}

/** `1,004` */
export function digits(count: number): string {
  return NUMBER.format(count);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${digits(count)} ${count === 1 ? one : many}`;
}
