/** What the restricted pickle machine can build: plain data, and references to tensors and storages. */
import type { DType } from '../../core/index.ts'

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleGlobal
  | StorageReference
  | TensorReference

/** Dictionary keys: what JavaScript's Map compares as Python does. */
export type PickleKey = null | boolean | number | bigint | string

export interface PickleList {
  readonly kind: 'list'
  readonly items: PickleValue[]
}

export interface PickleTuple {
  readonly kind: 'tuple'
  readonly items: readonly PickleValue[]
}

export interface PickleDict {
  readonly kind: 'dict'
  readonly entries: Map<PickleKey, PickleValue>
}

/** A name from the allow-list. */
export interface PickleGlobal {
  readonly kind: 'global'
  readonly name: string
}

export type StorageDType = DType | 'bf16'

/** A flat array kept outside the pickle; `offset` and `count` select a part of it (old files only). */
export interface StorageReference {
  readonly kind: 'storage'
  readonly key: string
  readonly dtype: StorageDType
  /** Elements. */
  readonly offset: number
  readonly count: number
}

/** A view of a storage. Sizes and strides are checked when the tensor is made. */
export interface TensorReference {
  readonly kind: 'tensor'
  readonly storage: StorageReference
  /** Elements from the storage's start. */
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/** A few words for messages. */
export function describePickleValue(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  if (typeof value !== 'object') return typeof value === 'string' ? 'a string' : `a ${typeof value}`
  if (value instanceof Uint8Array) return 'bytes'
  return value.kind === 'global' ? `the name ${value.name}` : `a ${value.kind}`
}

/** Whether a value is of a kind, e.g. `isKind(value, 'dict')`. */
export function isKind<K extends string>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<PickleValue, { kind: K }> {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind
}
