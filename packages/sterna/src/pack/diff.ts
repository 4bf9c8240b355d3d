/** What changed between two packed networks. */
import type { PackedModel, PackedTensor, ReadSterna } from 'sterna-runtime'
import { denseWeight } from '../ternary/index.ts'

export interface SternaDiff {
  /** Whether both compute the same from every input: graph and weights. */
  readonly isSame: boolean
  readonly bytes: readonly [before: number, after: number]
  /** Sentences about inputs, outputs and nodes; empty where both have the same graph. */
  readonly structure: readonly string[]
  readonly metadataChanged: boolean
  readonly tensors: readonly TensorDiff[]
}

export interface TensorDiff {
  readonly name: string
  readonly change: 'same' | 'values' | 'shape' | 'added' | 'removed'
  /** Undefined where the tensor is not in that file; likewise `zeros`. */
  readonly bytes: readonly [before: number | undefined, after: number | undefined]
  readonly zeros: readonly [before: number | undefined, after: number | undefined]
  /** Weights of another level, where both are ternary and of one shape. */
  readonly flipped?: FlippedLevels
  /** The largest difference between values, where the shapes are the same. */
  readonly largestDifference?: number
}

export interface FlippedLevels {
  readonly toZero: number
  readonly fromZero: number
  /** −1 to +1 or the other way. */
  readonly signs: number
}

/** Compares what `readSterna` gives for two files; tensors are matched by name, layers by their position. */
export function diffSterna(before: ReadSterna, after: ReadSterna): SternaDiff {
  const structure = structureChanges(before.model, after.model)
  const names = [...new Set([...before.model.tensors.keys(), ...after.model.tensors.keys()])]
  const tensors = names.map(name => tensorDiff(name, before, after))
  return {
    isSame: structure.length === 0 && tensors.every(tensor => tensor.change === 'same'),
    bytes: [before.account.totalBytes, after.account.totalBytes],
    structure,
    metadataChanged: JSON.stringify(before.model.metadata) !== JSON.stringify(after.model.metadata),
    tensors,
  }
}

function structureChanges(before: PackedModel, after: PackedModel): readonly string[] {
  const changes: string[] = []
  const compare = (what: string, one: unknown, other: unknown) => {
    if (describe(one) !== describe(other)) changes.push(`${what}: ${describe(one)} → ${describe(other)}`)
  }
  compare('inputs', before.inputs.map(describeInput), after.inputs.map(describeInput))
  compare('outputs', before.outputs, after.outputs)
  if (before.nodes.length !== after.nodes.length) compare('nodes', before.nodes.length, after.nodes.length)
  const shared = Math.min(before.nodes.length, after.nodes.length)
  for (let index = 0; index < shared; index++) {
    const [one, other] = [before.nodes[index]!, after.nodes[index]!]
    compare(`node ${index}`, `${one.op} "${one.name}"`, `${other.op} "${other.name}"`)
    if (one.op !== other.op) continue
    compare(`node "${other.name}", inputs`, one.inputs, other.inputs)
    const [was, is] = [new Map(Object.entries(one.attributes)), new Map(Object.entries(other.attributes))]
    for (const key of was.keys()) compare(`node "${other.name}", ${key}`, was.get(key), is.get(key))
  }
  const ranges = [before.activations ?? new Map(), after.activations ?? new Map()] as const
  for (const name of new Set([...ranges[0].keys(), ...ranges[1].keys()])) {
    compare(`range of "${name}"`, ranges[0].get(name) ?? 'none', ranges[1].get(name) ?? 'none')
  }
  return changes
}

function describeInput({ name, shape }: PackedModel['inputs'][number]): string {
  return `${name} [${shape}]`
}

/** Infinite bounds of a Clip are not JSON. */
function describe(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
  )
}

function tensorDiff(name: string, before: ReadSterna, after: ReadSterna): TensorDiff {
  const one = before.model.tensors.get(name)
  const other = after.model.tensors.get(name)
  const bytesIn = ({ account }: ReadSterna) => account.sections.find(part => part.tensor === name)?.bytes
  const base = {
    name,
    bytes: [bytesIn(before), bytesIn(after)],
    zeros: [one && countZeros(one), other && countZeros(other)],
  } as const
  if (one === undefined) return { ...base, change: 'added' }
  if (other === undefined) return { ...base, change: 'removed' }
  if (`${one.shape}` !== `${other.shape}`) return { ...base, change: 'shape' }
  const [first, second] = [valuesOf(one), valuesOf(other)]
  const largestDifference = first.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - second[index]!)),
    0,
  )
  const change = largestDifference === 0 ? 'same' : 'values'
  if (one.kind !== 'ternary' || other.kind !== 'ternary') return { ...base, change, largestDifference }
  return { ...base, change, largestDifference, flipped: flippedLevels(one.assignment, other.assignment) }
}

function flippedLevels(before: Int8Array, after: Int8Array): FlippedLevels {
  let toZero = 0
  let fromZero = 0
  let signs = 0
  before.forEach((level, index) => {
    const now = after[index]!
    if (level === now) return
    if (now === 0) toZero++
    else if (level === 0) fromZero++
    else signs++
  })
  return { toZero, fromZero, signs }
}

function valuesOf(tensor: PackedTensor): Float32Array {
  return tensor.kind === 'ternary' ? denseWeight(tensor).data : tensor.data
}

function countZeros(tensor: PackedTensor): number {
  const values = tensor.kind === 'ternary' ? tensor.assignment : tensor.data
  let zeros = 0
  for (const value of values) if (value === 0) zeros++
  return zeros
}
