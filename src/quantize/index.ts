/** The quantize room: its task, its methods and the claims of its papers. */

import type { Claim } from '../nouns/claim.ts';
import type { AnyMethod } from '../nouns/method.ts';
import { awqClaim } from './awq/claim.ts';
import { awq } from './awq/method.ts';
import { integerQuantizationClaim } from './integer-quantization/claim.ts';
import { integerQuantization } from './integer-quantization/method.ts';
import { roundToNearest } from './round-to-nearest.ts';
import { quantize } from './task.ts';

export { readArtifact } from './artifact/read.ts';
export { awq } from './awq/method.ts';
export { dequantizedModel, quantizedPerplexity } from './dequantized.ts';
export type { QuantizeInput } from './input.ts';
export { integerQuantization } from './integer-quantization/method.ts';
export { roundToNearest } from './round-to-nearest.ts';
export { quantize } from './task.ts';

export const task = quantize;
export const methods: readonly AnyMethod[] = [roundToNearest, integerQuantization, awq];
export const claims: readonly Claim[] = [awqClaim, integerQuantizationClaim];
