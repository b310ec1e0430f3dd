/** What an artifact's `config.json` says beside the architecture. */

import { linearLayers } from '../../nn/decoder/linear-layers.ts';
import { blockPrefix } from '../../nn/decoder/parameters.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import { commonGroupSize, type Layout, zerosAboveNothing } from './layout.ts';

/** Our own notes in `config.json`, by which the artifact is read back. */
export interface ArtifactNotes {
  readonly version: 1;
  readonly layout: Layout;
  readonly method: string;
  readonly activationBits: number | null;
  readonly weightError: number | null;
  /** Quantized matrices by parameter name. */
  readonly matrices: Readonly<Record<string, MatrixNotes>>;
}

export interface MatrixNotes {
  readonly shape: readonly [number, number];
  readonly bits: number;
  readonly groupSize: number;
  readonly symmetric: boolean;
  readonly perTensor: boolean;
  /** Whether `act_scales` divide the layer's input. */
  readonly inputScales: boolean;
}

export function artifactNotes(model: QuantizedModel, layout: Layout): ArtifactNotes {
  const ranges = Object.values(model.activations);
  const { weightError } = model.report;
  return {
    version: 1,
    layout,
    method: model.method,
    activationBits: ranges.length > 0 ? ranges[0].bits : null,
    weightError: typeof weightError === 'number' ? weightError : null,
    matrices: Object.fromEntries(
      Object.entries(model.matrices).map(
        ([name, { shape, bits, groupSize, symmetric, perTensor, inputScales }]) => [
          name,
          {
            shape,
            bits,
            groupSize,
            symmetric,
            perTensor,
            inputScales: inputScales !== undefined,
          },
        ],
      ),
    ),
  };
}

/**
 * `quantization_config` as GPTQModel and AutoAWQ write it; null for our own layout, which no
 * other program reads.
 */
export function quantizationConfig(
  model: QuantizedModel,
  layout: Layout,
): Record<string, unknown> | null {
  const matrices = Object.values(model.matrices);
  if (layout === 'packed' || matrices.length === 0) return null;
  const groupSize = commonGroupSize(matrices);
  if (layout === 'awq') {
    const skipped = unquantized(model);
    return {
      quant_method: 'awq',
      version: 'gemm',
      bits: 4,
      group_size: groupSize,
      zero_point: true,
      modules_to_not_convert: skipped.length > 0 ? skipped : null,
    };
  }
  return {
    quant_method: 'gptq',
    bits: matrices[0].bits,
    group_size: groupSize,
    desc_act: false,
    static_groups: false,
    sym: matrices.every(({ symmetric }) => symmetric),
    lm_head: false,
    checkpoint_format: zerosAboveNothing(model) ? 'gptq' : 'gptq_v2',
    ...(unquantized(model).length > 0
      ? { modules_in_block_to_quantize: [quantizedModules(model)] }
      : {}),
  };
}

/** Linear layers of the blocks that stayed in float, without `.weight`. */
function unquantized(model: QuantizedModel): string[] {
  const names: string[] = [];
  for (let block = 0; block < model.config.layers; block++) {
    for (const layer of linearLayers(model.config)) {
      const name = blockPrefix(model.config, block) + layer.name;
      if (!model.matrices[name]) names.push(name.replace(/\.weight$/, ''));
    }
  }
  return names;
}

/** Names inside a block of the layers that are quantized in every block. */
function quantizedModules(model: QuantizedModel): string[] {
  const { config } = model;
  return linearLayers(config)
    .filter((layer) =>
      Array.from({ length: config.layers }, (_, block) =>
        blockPrefix(config, block),
      ).every((prefix) => model.matrices[prefix + layer.name]),
    )
    .map((layer) => layer.name.replace(/\.weight$/, ''));
}
