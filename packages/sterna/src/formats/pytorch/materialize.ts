/** Tensor references → tensors, once the storages are at hand. */
import { type DType, type DTypeArrays, SternaError, type Tensor, tensor } from '../../core/index.ts'
import { ELEMENT_BYTES, elementCount, elementsFromBytes } from '../elements.ts'
import { bf16ToF32 } from '../float16.ts'
import { gatherStrided } from '../strided.ts'
import type { StorageDType, StorageReference, TensorReference } from './values.ts'

/** Bytes of an element in a storage. */
export function storageElementBytes(dtype: StorageDType): number {
  return dtype === 'bf16' ? 2 : ELEMENT_BYTES[dtype]
}

/**
 * Makes the tensors, row-major; bf16 becomes f32. Names that refer to the same view share one tensor.
 * @param storageBytes the whole storage's content
 * @param contentBytes size of all storages; views that repeat them more than fourfold are refused
 */
export function materializeTensors(
  references: ReadonlyMap<string, TensorReference>,
  storageBytes: (storage: StorageReference) => Uint8Array,
  contentBytes: number,
): Map<string, Tensor> {
  const made = new Map<string, Tensor>()
  const tensors = new Map<string, Tensor>()
  let budget = 4 * contentBytes + 65_536
  for (const [name, reference] of references) {
    const { storage, offset, shape, strides } = reference
    const identity = `${storage.dtype} ${storage.offset + offset} [${shape}] [${strides}] ${storage.key}`
    let value = made.get(identity)
    if (!value) {
      const where = `tensor ${JSON.stringify(name)}`
      const count = elementCount(shape) ?? Number.POSITIVE_INFINITY
      budget -= count * ELEMENT_BYTES[storage.dtype === 'bf16' ? 'f32' : storage.dtype]
      if (budget < 0) {
        throw new SternaError(
          'file/limit',
          `PyTorch file: ${where}, [${shape}], exceeds what the file's bytes can hold`,
        )
      }
      value = materialize(reference, storageBytes(storage), count, where)
      made.set(identity, value)
    }
    tensors.set(name, value)
  }
  return tensors
}

function materialize(reference: TensorReference, content: Uint8Array, count: number, where: string): Tensor {
  const { storage, shape } = reference
  const elementBytes = storageElementBytes(storage.dtype)
  const part = content.subarray(
    storage.offset * elementBytes,
    (storage.offset + storage.count) * elementBytes,
  )
  const raw = gatherStrided(part, elementBytes, reference, count, where)
  if (storage.dtype === 'bf16') return tensor('f32', shape, bf16ToF32(elementsFromBytes('f16', raw, where)))
  return tensor(storage.dtype, shape, elementsFromBytes(storage.dtype, raw, where) as DTypeArrays[DType])
}
