/** What a command may do to the terminal: results to stdout, everything else to stderr. */

import type { Progress } from '../nouns/run.ts';

export interface Terminal {
  /** A result, for a person or a program. */
  print(text: string): void;
  /** A remark, on stderr. */
  log(text: string): void;
  /** Shows how far a run has come, once it has taken a second. */
  progress(update: Progress): void;
  /** Removes the progress line. */
  clearProgress(): void;
  readonly colours: boolean;
  readonly width: number;
}

const redrawMilliseconds = 100;
const lineLogMilliseconds = 10_000;
const quietMilliseconds = 1_000;

/** The terminal of this process. A progress bar on a terminal, a line now and then elsewhere. */
export function processTerminal(): Terminal {
  const interactive = process.stderr.isTTY === true;
  const colours = process.stdout.isTTY === true && !process.env.NO_COLOR;
  let started = 0;
  let drawn = 0;
  let visible = false;

  const clearProgress = () => {
    if (visible && interactive) process.stderr.write('\r\x1b[2K');
    visible = false;
  };
  return {
    colours,
    width: process.stdout.columns ?? 100,
    print(text) {
      clearProgress();
      process.stdout.write(`${text}\n`);
    },
    log(text) {
      clearProgress();
      process.stderr.write(`${text}\n`);
    },
    progress(update) {
      const now = Date.now();
      started ||= now;
      if (now - started < quietMilliseconds) return;
      if (now - drawn < (interactive ? redrawMilliseconds : lineLogMilliseconds)) return;
      drawn = now;
      const line = progressLine(update, (now - started) / 1000);
      if (interactive) {
        const width = (process.stderr.columns ?? 80) - 1;
        process.stderr.write(`\r\x1b[2K${line.slice(0, width)}`);
        visible = true;
      } else {
        process.stderr.write(`${line}\n`);
      }
    },
    clearProgress,
  };
}

/** `[######----]  60 %  layer 3 of 5  loss 2.310  12 s left`. */
export function progressLine(update: Progress, secondsSoFar: number): string {
  const share = update.total > 0 ? Math.min(1, update.done / update.total) : 0;
  const filled = Math.round(share * 20);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(20 - filled)}]`;
  const metrics = Object.entries(update.metrics ?? {}).map(
    ([name, value]) => `${name} ${value.toPrecision(4)}`,
  );
  const left =
    share > 0.02 ? `${duration((secondsSoFar * (1 - share)) / share)} left` : '';
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  return [bar + percent, update.label, ...metrics, left].filter(Boolean).join('  ');
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
