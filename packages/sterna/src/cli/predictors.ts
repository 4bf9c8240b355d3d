/** What computes a model's logits: ONNX Runtime, or our runtime for packed files. */
import { loadModel, type ModelDescription, type PackedModel } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import type { Engine, EngineDevice, Fallback, LoweringName } from '../engine/index.ts'
import { toModel } from '../pack/index.ts'
import { createEnginePredictor, type Predictor } from '../train/index.ts'
import type { CompiledSource, ModelSource, RunnableSource } from './load-model.ts'
import type { Output } from './output.ts'
import { versions } from './versions.ts'

/** 'ort': ONNX Runtime. 'runtime' and 'reference': sterna-runtime with its best and its plain kernels. */
export type EngineName = 'ort' | 'runtime' | 'reference'

export const engineNames: readonly EngineName[] = ['ort', 'runtime', 'reference']

/** 'auto': in integers where a packed file has ranges for it. */
export type ArithmeticName = 'auto' | 'f32' | 'int'

export const arithmeticNames: readonly ArithmeticName[] = ['auto', 'f32', 'int']

export interface OpenPredictor {
  readonly predict: Predictor
  /** [C, H, W] of one image. */
  readonly imageShape: readonly number[]
  /** Whether ternary layers compute on bytes or on numbers. */
  readonly arithmetic: 'f32' | 'int'
  /** What computes, with its version: goes beside every accuracy. */
  readonly engine: string
  readonly close: () => Promise<void>
}

export interface PredictorOptions {
  readonly batchSize: number
  /** Default: the runtime for packed files, ONNX Runtime for the others. */
  readonly engine?: EngineName
  readonly device?: EngineDevice | 'auto'
  readonly threads?: number
  readonly spin?: boolean
  readonly lowering?: LoweringName | 'auto'
  /** Default: auto. */
  readonly arithmetic?: ArithmeticName
}

export async function openPredictor(
  source: RunnableSource,
  options: PredictorOptions,
): Promise<OpenPredictor> {
  if (source.kind === 'compiled') return openCompiled(source, options)
  const engine = options.engine ?? (source.kind === 'sterna' ? 'runtime' : 'ort')
  if (engine !== 'ort') {
    if (source.kind === 'sterna') {
      expectNoEngineChoice(options)
      return openRuntime(source.packed, { ...options, engine })
    }
    throw new SternaError(
      'usage/option',
      `--engine ${engine}: runs .sterna files only, ${source.path} is none`,
      {
        hint: `pack it first: sterna pack ${source.path} -o FILE.sterna`,
      },
    )
  }
  if (options.arithmetic === 'int') {
    throw new SternaError('usage/option', '--arithmetic int: ONNX Runtime computes in f32', {
      hint: 'integer arithmetic is that of .sterna files with ranges: sterna pack … --calibrate DATA',
    })
  }
  return openOnnxRuntime(source, options)
}

function openCompiled({ path, session }: CompiledSource, options: PredictorOptions): OpenPredictor {
  const { engine, arithmetic } = options
  const refused =
    engine !== undefined && engine !== 'runtime'
      ? `--engine ${engine}`
      : arithmetic !== undefined && arithmetic !== 'auto' && arithmetic !== session.arithmetic
        ? `--arithmetic ${arithmetic}`
        : undefined
  if (refused !== undefined) {
    throw new SternaError(
      'usage/option',
      `${refused}: ${path} was compiled for ${session.arithmetic} and runs itself`,
      {
        hint: 'evaluate the .sterna file it was made from, or export that again',
      },
    )
  }
  expectNoEngineChoice(options)
  return {
    predict: async images => session.run(images).output,
    imageShape: session.inputs[0]!.shape.slice(1),
    arithmetic: session.arithmetic,
    engine: `sterna-runtime ${versions.runtime} (compiled, ${session.arithmetic})`,
    close: async () => {},
  }
}

function expectNoEngineChoice(options: PredictorOptions): void {
  const given = (['device', 'threads', 'spin', 'lowering'] as const).find(name => options[name] !== undefined)
  if (given === undefined) return
  throw new SternaError('usage/option', `--${given}: sterna-runtime runs on one thread of the CPU`, {
    hint: 'these options belong to ONNX Runtime; add --engine ort to evaluate the file with it',
  })
}

export async function openRuntime(
  packed: PackedModel,
  { engine, arithmetic }: { readonly engine: 'runtime' | 'reference'; readonly arithmetic?: ArithmeticName },
): Promise<OpenPredictor> {
  const kernels = engine === 'runtime' ? 'auto' : 'reference'
  const session = await loadModel(packed, { kernels, ...(arithmetic && { arithmetic }) })
  const description = session.describe()
  return {
    predict: async images => session.run(images).output,
    imageShape: session.inputs[0]!.shape.slice(1),
    arithmetic: description.arithmetic,
    engine: describeRuntime(description),
    close: async () => {},
  }
}

function describeRuntime({ kernels, arithmetic }: ModelDescription): string {
  return `sterna-runtime ${versions.runtime} (${kernels === 'simd128' ? 'wasm-simd' : 'reference'}, ${arithmetic})`
}

async function openOnnxRuntime(
  source: ModelSource,
  { batchSize, device, threads, spin, lowering }: PredictorOptions,
): Promise<OpenPredictor> {
  const model = source.kind === 'sterna' ? toModel(source.packed) : source.model
  const engine = await createEngine({
    ...(device && { device }),
    ...(threads && { threads }),
    ...(spin && { spin }),
    ...(lowering && { lowering }),
  })
  try {
    const predictor = await createEnginePredictor(engine, model.graph, batchSize)
    await predictor.setParameters(model.parameters)
    return {
      predict: predictor.predict,
      imageShape: model.graph.inputs[0]!.shape.slice(1),
      arithmetic: 'f32',
      engine: describeEngine(engine),
      close: () => engine.close(),
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** One line for each reason why operators of a network are left to the standard lowering. */
export function describeFallbacks(fallbacks: readonly Fallback[]): readonly string[] {
  const nodes = new Map<string, string[]>()
  for (const { node, reason } of fallbacks) nodes.set(reason, [...(nodes.get(reason) ?? []), node])
  return [...nodes].map(([reason, names]) => `standard operators for ${names.join(', ')}: ${reason}`)
}

/** What computes and why, for programs. */
export function engineFacts({ device, reason, threads, lowering, loweringReason }: Engine) {
  return { device, reason, threads, lowering, loweringReason }
}

/** What computes and why, where a command begins. */
export function noteEngine(output: Output, engine: Engine): void {
  output.note(`engine  ${describeEngine(engine)}: ${engine.reason}; ${engine.loweringReason}`)
}

export function describeEngine({
  device,
  threads,
  lowering,
}: Pick<Engine, 'device' | 'threads' | 'lowering'>): string {
  const where =
    device === 'cpu'
      ? `cpu, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${lowering} lowering`
      : device
  return `onnxruntime-node ${versions.onnxruntime} (${where})`
}
