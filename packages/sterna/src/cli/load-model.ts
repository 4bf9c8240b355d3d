/** MODEL on a command line: a run directory, an ONNX file, a `.sterna` file, or a weights file with --model. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { type FileAccount, type PackedMetadata, type PackedModel, readSterna } from 'sterna-runtime'
import { type CompiledSession, load as loadCompiled } from 'sterna-runtime/compiled'
import { readFileBytes } from '../core/index.node.ts'
import { naming, namingLater, SternaError, type Tensor } from '../core/index.ts'
import { type Normalization, normalizationPresets } from '../data/index.ts'
import { readNpz, readPytorch, readSafetensors } from '../formats/index.ts'
import { readOnnx } from '../formats/onnx/index.ts'
import type { Model } from '../graph/index.ts'
import { importOnnx } from '../graph/onnx/index.ts'
import { importWeights, type WeightMapping, type ZooEntry, zooEntry } from '../models/index.ts'
import type { TernaryWeight } from '../ternary/index.ts'
import { loadRun } from '../train/index.node.ts'
import type { LossName, TrainConfig } from '../train/index.ts'

/** The pixel normalisation a model was made for, and who says so. */
export interface KnownNormalization extends Normalization {
  readonly from: string
}

interface Common {
  /** As given. */
  readonly path: string
  readonly sizeBytes?: number
  readonly normalization?: KnownNormalization
  /** The loss it was trained with; cross-entropy where nothing says otherwise. */
  readonly loss: LossName
}

/** A network with float parameters; those in `ternary` are at their levels. */
export interface FloatSource extends Common {
  readonly kind: 'run' | 'onnx' | 'weights'
  readonly model: Model
  readonly ternary: ReadonlyMap<string, TernaryWeight>
  /** What training started from and ended with, for a run. */
  readonly config?: TrainConfig
  /** Where another method starts from: latent weights, where there are some. */
  readonly latent: Model
  readonly mapping?: WeightMapping
}

export interface PackedSource extends Common {
  readonly kind: 'sterna'
  readonly packed: PackedModel
  readonly account: FileAccount
}

export type ModelSource = FloatSource | PackedSource

/** A module of `sterna export`: it runs, and that is all. */
export interface CompiledSource extends Common {
  readonly kind: 'compiled'
  readonly session: CompiledSession
}

export type RunnableSource = ModelSource | CompiledSource

/** Every known file is smaller; what is larger cannot be a network that this command handles. */
const MAX_FILE_BYTES = 4 * 1024 ** 3

const weightReaders: Readonly<Record<string, (bytes: Uint8Array) => ReadonlyMap<string, Tensor>>> = {
  '.pt': bytes => readPytorch(bytes).tensors,
  '.pth': bytes => readPytorch(bytes).tensors,
  '.th': bytes => readPytorch(bytes).tensors,
  '.safetensors': bytes => readSafetensors(bytes).tensors,
  '.npz': readNpz,
}

/** Reads MODEL; `network` is the value of --model, needed for a weights file and refused for anything else. */
export function loadModelSource(file: string, network?: string): ModelSource {
  const status = statSync(file, { throwIfNoEntry: false })
  if (status === undefined) throw new SternaError('file/not-found', `${file}: no such file or directory`)
  const extension = path.extname(file).toLowerCase()
  const readWeights = weightReaders[extension]
  if (!status.isDirectory() && readWeights !== undefined) {
    const bytes = naming(file, () => readFileBytes(file, { maxBytes: MAX_FILE_BYTES }))
    return weightsSource(
      file,
      naming(file, () => readWeights(bytes)),
      bytes.length,
      network,
    )
  }
  if (network !== undefined) {
    throw new SternaError('usage/option', `--model ${network}: ${file} says itself which network it is`, {
      hint: `--model belongs to weights files: ${Object.keys(weightReaders).join(', ')}`,
    })
  }
  if (status.isDirectory()) return runSource(file)
  if (extension === '.sterna') return packedSource(file)
  if (extension === '.onnx') return onnxSource(file)
  throw new SternaError('usage/input', `${file}: cannot tell what it is from the ending "${extension}"`, {
    hint: `a model is a run directory, a .sterna or .onnx file, or a weights file (${Object.keys(weightReaders).join(', ')}) with --model NAME`,
  })
}

/** Reads MODEL for a command that only runs it: it may be a compiled one as well. */
export async function loadRunnable(file: string, network?: string): Promise<RunnableSource> {
  if (path.extname(file).toLowerCase() !== '.wasm' || network !== undefined)
    return loadModelSource(file, network)
  const bytes = readFileBytes(file, { maxBytes: MAX_FILE_BYTES })
  const session = await namingLater(file, () => loadCompiled(bytes))
  return {
    kind: 'compiled',
    path: file,
    sizeBytes: bytes.length,
    session,
    ...packedFacts(session.metadata),
  }
}

/** Reads a `.sterna` file for a command that takes nothing else. */
export function loadPackedSource(file: string, command: string): PackedSource {
  if (path.extname(file).toLowerCase() === '.sterna') return packedSource(file)
  throw new SternaError('usage/input', `${file}: ${command} takes .sterna files`, {
    hint: `pack it first: sterna pack ${file} -o FILE.sterna`,
  })
}

function runSource(directory: string): FloatSource {
  const { config, model, ternary, latent } = loadRun(directory)
  return {
    kind: 'run',
    path: directory,
    model,
    ternary,
    latent,
    config,
    loss: config.loss,
    normalization: { ...config.normalization, from: `run ${directory}` },
  }
}

function onnxSource(file: string): FloatSource {
  const bytes = readFileBytes(file, { maxBytes: MAX_FILE_BYTES })
  const model = naming(file, () => importOnnx(readOnnx(bytes)))
  return {
    kind: 'onnx',
    path: file,
    sizeBytes: bytes.length,
    model,
    ternary: new Map(),
    latent: model,
    loss: 'cross-entropy',
  }
}

function packedSource(file: string): PackedSource {
  const bytes = readFileBytes(file, { maxBytes: MAX_FILE_BYTES })
  const { model, account } = naming(file, () => readSterna(bytes))
  return {
    kind: 'sterna',
    path: file,
    sizeBytes: bytes.length,
    packed: model,
    account,
    ...packedFacts(model.metadata),
  }
}

const packedFacts = ({ normalization }: PackedMetadata): Pick<Common, 'loss' | 'normalization'> => ({
  loss: 'cross-entropy',
  ...(normalization !== undefined && { normalization: { ...normalization, from: 'the file' } }),
})

function weightsSource(
  file: string,
  tensors: ReadonlyMap<string, Tensor>,
  sizeBytes: number,
  network: string | undefined,
): FloatSource {
  if (network === undefined) {
    throw new SternaError(
      'usage/option',
      `${file}: a weights file needs --model to say which network it is for`,
      {
        hint: 'for example --model resnet20; sterna train --help lists the networks',
      },
    )
  }
  const entry = zooEntry(network)
  const fresh = entry.create(countClasses(entry, tensors), 0)
  const { model, mapping } = naming(file, () => importWeights(fresh, tensors))
  return {
    kind: 'weights',
    path: file,
    sizeBytes,
    model,
    ternary: new Map(),
    latent: model,
    mapping,
    loss: 'cross-entropy',
    normalization: presetOf(entry),
  }
}

/** The classes of a zoo network's weights, from its last bias; a file without one leaves the usual ten. */
function countClasses(entry: ZooEntry, tensors: ReadonlyMap<string, Tensor>): number {
  const usual = 10
  const lastBias = entry.create(usual, 0).graph.parameters.at(-1)!.name
  const found = [...tensors].find(([name]) => name === lastBias || name.endsWith(`.${lastBias}`))
  return found?.[1].shape.length === 1 ? found[1].shape[0]! : usual
}

/** The normalisation that the published weights of a zoo network expect. */
function presetOf({ name, normalization }: ZooEntry): KnownNormalization {
  const preset = Object.entries(normalizationPresets).find(([key]) => key === normalization)
  if (preset === undefined) throw new SternaError('internal', `${name}: no preset is called ${normalization}`)
  return { ...preset[1], from: `preset "${normalization}" of ${name}` }
}
