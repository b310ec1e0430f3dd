/** Runs ONNX models: a thin wrapper over ONNX Runtime that speaks in plain tensors. */

import * as ort from 'onnxruntime-node';
import { AssayError, InvalidInputError } from '../error.ts';
import { type AnyTensor, type DataType, elementCount } from './tensor.ts';

export type Provider = 'cpu' | 'webgpu';

export interface SessionOptions {
  /** Threads for one operator; ONNX Runtime takes all cores when it is left out. */
  readonly threads?: number;
  readonly provider?: Provider;
  /** How far ONNX Runtime may rewrite the graph (default `all`). */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /**
   * Lets idle threads wait in a loop. Saves some microseconds an operator on a machine
   * with nothing else to do, and costs far more on a busy one (default false).
   */
  readonly busyWait?: boolean;
}

export interface RunOptions {
  /** Tensors whose data is overwritten with the outputs of the same name. */
  readonly outputs?: Readonly<Record<string, AnyTensor>>;
}

/** A model ready to run. */
export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the model once. Results are new tensors, or those of `options.outputs`.
   * The JavaScript thread is busy meanwhile: long work belongs in a worker.
   */
  run(
    feeds: Readonly<Record<string, AnyTensor>>,
    options?: RunOptions,
  ): Promise<Record<string, AnyTensor>>;
  /** Frees the native memory; the session cannot run any more. */
  release(): Promise<void>;
}

// Warnings about the graph go to stdout otherwise, into output that programs read.
ort.env.logLevel = 'error';

/** A plain tensor as ONNX Runtime's, over the same memory. */
function toRuntime(name: string, tensor: AnyTensor): ort.Tensor {
  const { dtype, data, shape } = tensor;
  if (data.length !== elementCount(shape)) {
    throw new InvalidInputError(
      name,
      `${elementCount(shape)} elements for shape [${shape.join(', ')}]`,
      `${data.length}`,
    );
  }
  if (dtype === 'bfloat16') {
    throw new InvalidInputError(name, 'a type that ONNX Runtime takes', 'bfloat16');
  }
  const runtime = new ort.Tensor(dtype, data as Float32Array, shape);
  if (data instanceof Float16Array) {
    // The native side knows half precision only as 16-bit integers.
    const bits = new Uint16Array(data.buffer, data.byteOffset, data.length);
    Object.defineProperty(runtime, 'data', { value: bits });
  }
  return runtime;
}

function fromRuntime(tensor: ort.Tensor): AnyTensor {
  const dtype = tensor.type as DataType;
  return { dtype, shape: tensor.dims, data: tensor.data } as unknown as AnyTensor;
}

/** The message of a failure inside ONNX Runtime, without its build paths. */
function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\/[^\s:]*onnxruntime\/\S*/g, '').trim();
}

/**
 * Opens a model from the bytes of an ONNX file, or from the path of one we wrote: a file may
 * refer to data files beside it.
 * Throws `AssayError` (`unsupported`) with ONNX Runtime's reason when it refuses the model.
 */
export async function openSession(
  source: Uint8Array | string,
  options: SessionOptions = {},
): Promise<Session> {
  const { threads, provider = 'cpu', optimization = 'all', busyWait = false } = options;
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
    throw new InvalidInputError('threads', 'a positive integer', String(threads));
  }
  let session: ort.InferenceSession;
  try {
    const settings: ort.InferenceSession.SessionOptions = {
      executionProviders: [provider],
      graphOptimizationLevel: optimization,
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: busyWait ? '1' : '0' } } },
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    };
    session =
      typeof source === 'string'
        ? await ort.InferenceSession.create(source, settings)
        : await ort.InferenceSession.create(source, settings);
  } catch (error) {
    throw new AssayError(
      'unsupported',
      `ONNX Runtime cannot load the model: ${describe(error)}`,
      { cause: error },
    );
  }
  const known = new Set(session.inputNames);
  let released = false;
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, runOptions = {}) {
      if (released) throw new InvalidInputError('session', 'an open session', 'released');
      const inputs: Record<string, ort.Tensor> = {};
      for (const name of session.inputNames) {
        const feed = feeds[name];
        if (!feed) throw new InvalidInputError(name, 'a tensor', 'nothing');
        inputs[name] = toRuntime(name, feed);
      }
      for (const name of Object.keys(feeds)) {
        if (!known.has(name)) {
          const names = session.inputNames.join(', ');
          throw new InvalidInputError(
            name,
            `an input of the model (${names})`,
            'unknown',
          );
        }
      }
      const fetches: Record<string, ort.Tensor | null> = {};
      for (const name of session.outputNames) {
        const target = runOptions.outputs?.[name];
        fetches[name] = target ? toRuntime(name, target) : null;
      }
      let results: ort.InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(inputs, fetches);
      } catch (error) {
        throw new AssayError('invalid-input', `the model failed: ${describe(error)}`, {
          cause: error,
        });
      }
      const outputs: Record<string, AnyTensor> = {};
      for (const name of session.outputNames) {
        outputs[name] =
          runOptions.outputs?.[name] ?? fromRuntime(results[name] as ort.Tensor);
      }
      return outputs;
    },
    async release() {
      if (released) return;
      released = true;
      await session.release();
    },
  };
}
