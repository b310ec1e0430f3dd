/** Writes a model as an ONNX directory that ONNX Runtime and transformers.js load. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDirectoryAtomic, writeFileAtomic } from '../../../format/atomic.ts';
import { describingFiles } from '../../save.ts';
import { reportProgress } from '../progress.ts';
import { type ExportableModel, type ExportContext, exportSource } from '../source.ts';
import { type DecoderGraphOptions, decoderGraph } from './decoder.ts';
import { dataFile, inlineFile, inlineLength, referringFile } from './file.ts';
import type { OnnxTensorReport } from './weights.ts';

export interface OnnxOptions extends Omit<DecoderGraphOptions, 'cache'> {
  /** What to do when the directory exists already (default `refuse`). */
  readonly existing?: 'refuse' | 'replace';
  /** Models of more bytes keep their weights in a second file (default 1 GiB, at most 2 GB). */
  readonly largestFile?: number;
}

export interface OnnxReport {
  readonly directory: string;
  /** Files relative to the directory, with their sizes. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly bytes: number;
  /** What was written for each parameter. */
  readonly tensors: readonly OnnxTensorReport[];
  /** Attention as ONNX Runtime's own operator or as plain ones. */
  readonly attention: 'fused' | 'plain';
  readonly accuracyLevel: number;
}

const modelFile = 'model.onnx';
const weightsFile = 'model.onnx_data';
// Protocol buffers end at 2 GiB.
const protobufLimit = 2 ** 31 - 1;

/**
 * Writes `onnx/model.onnx` (with `onnx/model.onnx_data` for a large model), `config.json`,
 * `generation_config.json` and, where there is a tokenizer file, `tokenizer.json`: all or
 * nothing, one weight in memory at a time.
 *
 * Quantized linear layers become MatMulNBits with the same codes and scales. Throws
 * `InvalidInputError` when the directory exists or a parameter is missing or not finite.
 */
export async function writeOnnx(
  model: ExportableModel,
  directory: string,
  context: ExportContext = {},
  options: OnnxOptions = {},
): Promise<OnnxReport> {
  const { existing = 'refuse', largestFile = 2 ** 30, ...graphOptions } = options;
  const { signal } = context;
  const source = exportSource(model);
  const graph = decoderGraph(source, graphOptions);
  const inline =
    inlineLength(graph.model, graph.weights) <= Math.min(largestFile, protobufLimit);
  const weights = reportProgress(graph.weights, context);
  const texts = textFiles(model, source.name, inline);
  const names = [...Object.keys(texts), join('onnx', modelFile)];
  if (!inline) names.push(join('onnx', weightsFile));
  await writeDirectoryAtomic(
    directory,
    async (temporary) => {
      for (const [name, text] of Object.entries(texts)) {
        await writeFileAtomic(join(temporary, name), text, { signal });
      }
      const target = join(temporary, 'onnx', modelFile);
      if (inline) {
        await writeFileAtomic(target, inlineFile(graph.model, weights), { signal });
        return;
      }
      const data = join(temporary, 'onnx', weightsFile);
      await writeFileAtomic(data, dataFile(weights), { signal });
      const referring = referringFile(graph.model, weights, weightsFile);
      await writeFileAtomic(target, referring, { signal });
    },
    { existing, signal },
  );
  const files = await Promise.all(
    names.map(async (name) => ({
      name,
      bytes: (await stat(join(directory, name))).size,
    })),
  );
  return {
    directory,
    files,
    bytes: files.reduce((total, file) => total + file.bytes, 0),
    tensors: graph.tensors,
    attention: graph.attention,
    accuracyLevel: options.accuracyLevel ?? 4,
  };
}

/** The texts beside the graph; transformers.js must be told of a data file. */
function textFiles(
  { config, tokenizer }: ExportableModel,
  name: string,
  inline: boolean,
): Record<string, string> {
  const described = { config, tokenizer, name, fingerprint: '' };
  const files = describingFiles(
    { ...described, parameters: { names: [], describe: absent, read: absent } },
    'float32',
  );
  if (inline) return files;
  const configuration = JSON.parse(files['config.json']!) as Record<string, unknown>;
  configuration['transformers.js_config'] = {
    use_external_data_format: { [modelFile]: 1 },
  };
  return { ...files, 'config.json': `${JSON.stringify(configuration, null, 2)}\n` };
}

function absent(): never {
  throw new Error('a description has no parameters');
}
