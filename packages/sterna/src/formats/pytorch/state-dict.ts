/** Finds the named tensors in what a checkpoint holds: a state dict, or a dictionary around one. */
import { SternaError } from '../../core/index.ts'
import {
  describePickleValue,
  isKind,
  type PickleDict,
  type PickleValue,
  type TensorReference,
} from './values.ts'

export interface Skipped {
  readonly name: string
  /** Why it is not among the tensors. */
  readonly reason: string
}

export interface NamedTensors {
  readonly tensors: Map<string, TensorReference>
  readonly skipped: Skipped[]
}

/** Where training scripts keep the weights, the most telling name first. */
const WRAPPERS = [
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'module',
  'params',
  'weights',
]
const MAX_DEPTH = 16

/**
 * @param fileBytes bounds the names: together they cannot be longer than a small multiple of the file
 * @throws SternaError 'file/unsupported' when there is no tensor
 */
export function findStateDict(root: PickleValue, fileBytes: number): NamedTensors {
  const tensors = new Map<string, TensorReference>()
  const skipped: Skipped[] = []
  const visited = new Set<PickleValue>()
  let nameBudget = 4 * fileBytes + 65_536

  const visit = (value: PickleValue, name: string, depth: number): void => {
    nameBudget -= name.length
    if (nameBudget < 0)
      throw new SternaError('file/limit', 'PyTorch file: the names are longer than the file')
    if (isKind(value, 'tensor')) {
      if (tensors.has(name))
        throw new SternaError('file/damaged', `PyTorch file: two tensors are named "${name}"`)
      tensors.set(name, value)
      return
    }
    if (!isKind(value, 'dict') && !isKind(value, 'list') && !isKind(value, 'tuple')) {
      skipped.push({ name, reason: `${describePickleValue(value)}, not a tensor` })
      return
    }
    if (visited.has(value) || depth >= MAX_DEPTH) {
      skipped.push({
        name,
        reason: visited.has(value) ? 'seen before under another name' : 'nested too deep',
      })
      return
    }
    visited.add(value)
    const entries = isKind(value, 'dict') ? value.entries : value.items.entries()
    for (const [key, item] of entries) visit(item, name === '' ? String(key) : `${name}.${key}`, depth + 1)
  }

  visit(unwrap(root, skipped), isKind(root, 'tensor') ? 'tensor' : '', 0)
  if (tensors.size === 0) {
    throw new SternaError(
      'file/unsupported',
      `PyTorch file: ${describePickleValue(root)} without any tensor`,
      {
        hint: 'expected a state dict: torch.save(model.state_dict(), path)',
      },
    )
  }
  return { tensors, skipped }
}

/** Steps into `{ state_dict: … }` and the like, noting what lies beside. */
function unwrap(root: PickleValue, skipped: Skipped[]): PickleValue {
  let value = root
  for (let depth = 0; depth < MAX_DEPTH && isKind(value, 'dict'); depth++) {
    const { entries }: PickleDict = value
    const wrapper = WRAPPERS.find(name => isWeights(entries.get(name)))
    if (wrapper === undefined) break
    for (const key of entries.keys()) {
      if (key !== wrapper)
        skipped.push({ name: String(key), reason: `beside "${wrapper}", which holds the weights` })
    }
    value = entries.get(wrapper)!
  }
  return value
}

/** A dictionary with a tensor in it, or around such a dictionary. */
function isWeights(value: PickleValue | undefined): boolean {
  if (!isKind(value, 'dict')) return false
  return holdsTensor(value) || WRAPPERS.some(name => holdsTensor(value.entries.get(name)))
}

function holdsTensor(value: PickleValue | undefined): boolean {
  if (!isKind(value, 'dict')) return false
  for (const item of value.entries.values()) if (isKind(item, 'tensor')) return true
  return false
}
