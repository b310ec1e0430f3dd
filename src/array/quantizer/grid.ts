/** Integer grids for weights: how a scale and a zero point follow from a group's extremes. */

import { InvalidInputError } from '../../error.ts';
import {
  largestFloat16,
  type Rounding,
  roundHalfAway,
  roundHalfEven,
  smallestFloat16,
} from './rounding.ts';

/**
 * Which integer grid a group of weights is put on.
 * - `group-asymmetric`, `group-symmetric`: AWQ's group quantizer (float32, ties to even,
 *   range at least 1e-5); the asymmetric range is not widened to hold 0 unless `includeZero`.
 * - `affine`, `symmetric`: the integer-quantization whitepaper's (sections 2.1 and 2.2): the
 *   affine range always holds 0, ties away from zero, an all-zero range gives scale 1.
 */
export type GridKind = 'group-asymmetric' | 'group-symmetric' | 'affine' | 'symmetric';

export interface Grid {
  readonly kind: GridKind;
  /** 2 to 8. */
  readonly bits: number;
  /** Widen a `group-asymmetric` range to hold 0, so that constant groups stay exact. */
  readonly includeZero: boolean;
  /** Leave out the lowest code of a symmetric grid: int8 weights in [-127, 127]. */
  readonly restrictedRange: boolean;
  /**
   * Number type the scale is rounded to before codes are chosen. Artifacts use `float16`, the
   * type every file format stores, so that what is written is exactly what was measured;
   * searches and golden numbers use `float32`.
   */
  readonly scales: 'float32' | 'float16';
}

/** A grid with the usual choices: AWQ's asymmetric groups with float16 scales. */
export function grid(options: Partial<Grid> & { readonly bits: number }): Grid {
  const made: Grid = {
    kind: 'group-asymmetric',
    includeZero: false,
    restrictedRange: false,
    scales: 'float16',
    ...options,
  };
  if (!Number.isInteger(made.bits) || made.bits < 2 || made.bits > 8) {
    throw new InvalidInputError('bits', 'an integer from 2 to 8', String(made.bits));
  }
  return made;
}

export function isSymmetric(kind: GridKind): boolean {
  return kind === 'group-symmetric' || kind === 'symmetric';
}

export function roundingOf(kind: GridKind): Rounding {
  return kind === 'affine' || kind === 'symmetric' ? 'half-away' : 'half-even';
}

/** Lowest unsigned code in use: 1 for a restricted symmetric grid, else 0. */
export function lowestCode(grid: Grid): number {
  return grid.restrictedRange && isSymmetric(grid.kind) ? 1 : 0;
}

const fround = Math.fround;

/** Scale of a group whose weights lie in [low, high]. Positive, or throws when not finite. */
export function scaleOf(grid: Grid, low: number, high: number): number {
  const steps = 2 ** grid.bits - 1;
  const half = 2 ** (grid.bits - 1) - 1;
  let scale: number;
  switch (grid.kind) {
    case 'group-asymmetric': {
      const bottom = grid.includeZero ? Math.min(low, 0) : low;
      const top = grid.includeZero ? Math.max(high, 0) : high;
      scale = fround(Math.max(fround(top - bottom), fround(1e-5)) / steps);
      break;
    }
    case 'group-symmetric':
      scale = fround(Math.max(Math.abs(low), Math.abs(high), fround(1e-5)) / half);
      break;
    case 'affine':
      scale = fround((Math.max(high, 0) - Math.min(low, 0)) / steps) || 1;
      break;
    case 'symmetric':
      scale = fround(Math.max(Math.abs(low), Math.abs(high)) / half) || 1;
      break;
  }
  return grid.scales === 'float16' ? storedScale(scale) : scale;
}

/** Zero point of a group as an unsigned code, for a scale of `scaleOf`. */
export function zeroOf(grid: Grid, low: number, scale: number): number {
  if (isSymmetric(grid.kind)) return 2 ** (grid.bits - 1);
  const steps = 2 ** grid.bits - 1;
  if (grid.kind === 'affine') {
    const exact = -Math.min(low, 0) / scale;
    return Math.min(Math.max(roundHalfAway(exact), 0), steps);
  }
  const bottom = grid.includeZero ? Math.min(low, 0) : low;
  return Math.min(Math.max(-roundHalfEven(fround(bottom / scale)), 0), steps);
}

/** Nearest float16, never 0. Throws for a scale beyond float16's range. */
function storedScale(scale: number): number {
  if (!(scale <= largestFloat16)) {
    throw new InvalidInputError(
      'weights',
      `a quantization scale of at most ${largestFloat16}, the largest float16`,
      `a scale of ${scale}`,
    );
  }
  return Math.max(Math.f16round(scale), smallestFloat16);
}
