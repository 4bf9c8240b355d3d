/** The names a PyTorch pickle may use: those that make tensors and dictionaries. Everything else is refused. */
import type { ByteReader } from '../byte-reader.ts'
import { elementCount } from '../elements.ts'
import type { PickleHost } from './pickle.ts'
import {
  describePickleValue,
  isKind,
  type PickleGlobal,
  type PickleValue,
  type StorageDType,
  type StorageReference,
  type TensorReference,
} from './values.ts'

const STORAGE_DTYPES: ReadonlyMap<string, StorageDType> = new Map([
  ['torch.FloatStorage', 'f32'],
  ['torch.DoubleStorage', 'f64'],
  ['torch.HalfStorage', 'f16'],
  ['torch.BFloat16Storage', 'bf16'],
  ['torch.LongStorage', 'i64'],
  ['torch.IntStorage', 'i32'],
  ['torch.ShortStorage', 'i16'],
  ['torch.CharStorage', 'i8'],
  ['torch.ByteStorage', 'u8'],
  ['torch.BoolStorage', 'bool'],
])

type Build = (args: readonly PickleValue[], reader: ByteReader, budget: { items: number }) => PickleValue

const BUILDERS: ReadonlyMap<string, Build> = new Map<string, Build>([
  ['collections.OrderedDict', buildDict],
  ['torch._utils._rebuild_tensor', buildTensor],
  ['torch._utils._rebuild_tensor_v2', buildTensor],
  ['torch._utils._rebuild_parameter', firstTensor],
  ['torch._utils._rebuild_parameter_with_state', firstTensor],
  ['torch.nn.parameter.Parameter', firstTensor],
  ['torch.Size', firstTuple],
])

const SAVE_HINT = 'save the tensors alone: torch.save(model.state_dict(), path)'

/** A host for the pickles of one file. */
export function createTorchHost(fileBytes: number): PickleHost {
  // A pickle may call a builder on one remembered list many times; each real pair has a byte of its own.
  const budget = { items: fileBytes }
  return {
    global(module, name, reader) {
      const full = `${module}.${name}`
      if (BUILDERS.has(full) || STORAGE_DTYPES.has(full)) return { kind: 'global', name: full }
      const hint = full.endsWith('Storage') ? 'convert the tensors to a common element type first' : SAVE_HINT
      throw reader.error(
        'file/unsupported',
        `the file wants to use ${JSON.stringify(full)}`,
        reader.position,
        hint,
      )
    },
    call(callable: PickleGlobal, args, reader) {
      const build = BUILDERS.get(callable.name)
      if (!build) throw reader.error('file/damaged', `${callable.name} is called`)
      return build(args, reader, budget)
    },
    persistent: readStorageReference,
  }
}

function buildDict(args: readonly PickleValue[], reader: ByteReader, budget: { items: number }): PickleValue {
  const [pairs, ...rest] = args
  const entries = new Map<string | number, PickleValue>()
  if (pairs === undefined) return { kind: 'dict', entries }
  if (rest.length > 0 || !isKind(pairs, 'list')) throw badCall('OrderedDict', args, reader)
  budget.items -= pairs.items.length
  if (budget.items < 0) throw reader.error('file/limit', 'dictionaries of more pairs than the file has bytes')
  for (const pair of pairs.items) {
    const items = isKind(pair, 'list') || isKind(pair, 'tuple') ? pair.items : []
    const [key, value] = items
    if (items.length !== 2 || value === undefined || (typeof key !== 'string' && typeof key !== 'number')) {
      throw badCall('OrderedDict', args, reader)
    }
    entries.set(key, value)
  }
  return { kind: 'dict', entries }
}

/** `_rebuild_tensor(storage, offset, size, stride)` and v2, which adds flags and hooks. */
function buildTensor(args: readonly PickleValue[], reader: ByteReader): PickleValue {
  const [storage, offset, size, stride] = args
  const shape = numbers(size)
  const strides = numbers(stride)
  if (!isKind(storage, 'storage') || typeof offset !== 'number' || !shape || !strides) {
    throw badCall('a tensor', args, reader)
  }
  if (elementCount(shape) === undefined)
    throw reader.error('file/damaged', `[${shape.slice(0, 8)}] is not a shape`)
  return { kind: 'tensor', storage, offset, shape, strides } satisfies TensorReference
}

function firstTensor(args: readonly PickleValue[], reader: ByteReader): PickleValue {
  const [value] = args
  if (!isKind(value, 'tensor')) throw badCall('a parameter', args, reader)
  return value
}

function firstTuple(args: readonly PickleValue[], reader: ByteReader): PickleValue {
  const [value] = args
  if (!isKind(value, 'tuple')) throw badCall('torch.Size', args, reader)
  return value
}

/**
 * `('storage', type, key, location, count[, view])` where an old file's view is None or
 * `(view key, offset, count)`.
 */
function readStorageReference(id: PickleValue, reader: ByteReader): StorageReference {
  const [tag, type, key, , count, view] = isKind(id, 'tuple') ? id.items : []
  if (tag === 'module')
    throw reader.error('file/unsupported', 'the file holds a whole module', reader.position, SAVE_HINT)
  const dtype = isKind(type, 'global') ? STORAGE_DTYPES.get(type.name) : undefined
  if (tag !== 'storage' || !dtype || typeof key !== 'string' || !isCount(count)) {
    throw reader.error('file/damaged', 'a reference to something that is not a storage')
  }
  if (view === undefined || view === null) return { kind: 'storage', key, dtype, offset: 0, count }
  const [, offset, viewCount] = isKind(view, 'tuple') ? view.items : []
  if (!isCount(offset) || !isCount(viewCount) || offset + viewCount > count) {
    throw reader.error('file/damaged', `a view of storage ${JSON.stringify(key)} that leaves it`)
  }
  return { kind: 'storage', key, dtype, offset, count: viewCount }
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function numbers(value: PickleValue | undefined): number[] | undefined {
  if (!isKind(value, 'tuple') || value.items.length > 64) return undefined
  const items = value.items.filter(item => typeof item === 'number')
  return items.length === value.items.length ? items : undefined
}

function badCall(what: string, args: readonly PickleValue[], reader: ByteReader) {
  const described = args.slice(0, 8).map(describePickleValue).join(', ')
  return reader.error('file/damaged', `${what} made from (${described})`)
}
