/**
 * How a parameter's elements lie in memory where an engine keeps them otherwise than in row-major order: the tensor
 * seen as `dims`, its axes permuted by `perm`.
 */
import { sizeOf, type Tensor } from '../core/index.ts'

export interface MemoryOrder {
  readonly dims: readonly number[]
  readonly perm: readonly number[]
}

/** Row-major -> memory; a copy. */
export function toMemoryOrder({ dtype, shape, data }: Tensor, order: MemoryOrder): Tensor {
  const result = data.slice()
  eachPair(order, (memory, rowMajor) => {
    result[memory] = data[rowMajor]!
  })
  return { dtype, shape, data: result }
}

/** Memory -> row-major; a copy. */
export function fromMemoryOrder({ dtype, shape, data }: Tensor, order: MemoryOrder): Tensor {
  const result = data.slice()
  eachPair(order, (memory, rowMajor) => {
    result[rowMajor] = data[memory]!
  })
  return { dtype, shape, data: result }
}

/** Calls back with each element's place in memory, in order, and its place in row-major order. */
function eachPair({ dims, perm }: MemoryOrder, visit: (memory: number, rowMajor: number) => void): void {
  const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)))
  const lengths = perm.map(axis => dims[axis]!)
  const steps = perm.map(axis => strides[axis]!)
  const position = perm.map(() => 0)
  const size = sizeOf(dims)
  let at = 0
  for (let memory = 0; memory < size; memory++) {
    visit(memory, at)
    for (let axis = perm.length - 1; axis >= 0; axis--) {
      at += steps[axis]!
      if (++position[axis]! < lengths[axis]!) break
      at -= steps[axis]! * lengths[axis]!
      position[axis] = 0
    }
  }
}
