/** Ternary weights as the positions that are added and those that are subtracted, filter by filter. */
import type { SignLists, TernaryTensor } from './tensors.ts'

/** The lists of a tensor: its own, or made from its assignment. */
export function listsOf(weight: TernaryTensor): SignLists {
  if (weight.lists !== undefined) return weight.lists
  const { assignment, shape } = weight
  const sink = new ListSink(assignment.length, shape[0] ?? 1, () => false)
  sink.take(0, assignment, 0, assignment.length)
  return sink.finish()
}

/** The tensor of `lists`; its assignment is made when somebody asks for it. */
export function listedTensor(
  shape: readonly number[],
  lists: SignLists,
  magnitudes: Omit<TernaryTensor, 'kind' | 'shape' | 'assignment' | 'lists'>,
): TernaryTensor {
  let assignment: Int8Array | undefined
  return {
    kind: 'ternary',
    shape,
    get assignment() {
      assignment ??= spread(shape, lists)
      return assignment
    },
    lists,
    ...magnitudes,
  }
}

function spread(shape: readonly number[], { ends, positions }: SignLists): Int8Array {
  const assignment = new Int8Array(shape.reduce((product, size) => product * size, 1))
  const perFilter = assignment.length / (shape[0] ?? 1)
  let next = 0
  for (let list = 0; list < ends.length; list++) {
    const first = (list >> 1) * perFilter
    while (next < ends[list]!) assignment[first + positions[next++]!] = list % 2 === 0 ? 1 : -1
  }
  return assignment
}

/** Takes the levels of a tensor in order, piece by piece, and keeps those that are not 0: no dense copy is made. */
export class ListSink {
  readonly #perFilter: number
  /** Whether the signs of a filter are stored the other way round. */
  readonly isTurned: (filter: number) => boolean
  readonly #ends: Uint32Array
  #positions: Uint16Array | Uint32Array
  /** Those of −1 in the current filter: they follow its +1. */
  #minus: Uint16Array | Uint32Array
  #length = 0
  #minusLength = 0
  #filter = 0
  #adopted: SignLists | undefined

  constructor(elements: number, filters: number, isTurned: (filter: number) => boolean) {
    this.#perFilter = elements / filters
    this.isTurned = isTurned
    this.#ends = new Uint32Array(2 * filters)
    const List = this.#perFilter <= 0x1_0000 ? Uint16Array : Uint32Array
    this.#positions = new List(0)
    this.#minus = new List(0)
  }

  /** `count` levels, from `from` on in `levels`, are those of the tensor from `start` on; what is left out is 0. */
  take(start: number, levels: Int8Array, from: number, count: number): void {
    for (let done = 0; done < count; ) {
      const filter = Math.floor((start + done) / this.#perFilter)
      while (this.#filter < filter) this.#closeFilter()
      const first = start + done - filter * this.#perFilter
      const here = Math.min(count - done, this.#perFilter - first)
      this.#takeHere(first, levels, from + done, here)
      done += here
    }
  }

  /** Takes the lists of the whole tensor instead. */
  adopt(lists: SignLists): void {
    this.#adopted = lists
  }

  #append(places: Uint16Array | Uint32Array): void {
    const end = this.#length + places.length
    this.#positions = withRoom(this.#positions, end)
    this.#positions.set(places, this.#length)
    this.#length = end
  }

  finish(): SignLists {
    if (this.#adopted !== undefined) return this.#adopted
    while (2 * this.#filter < this.#ends.length) this.#closeFilter()
    return { ends: this.#ends, positions: this.#positions.slice(0, this.#length) }
  }

  /** Of the current filter. Every position is written where the next of its kind belongs: branches would be mispredicted. */
  #takeHere(first: number, levels: Int8Array, from: number, count: number): void {
    this.#positions = withRoom(this.#positions, this.#length + count)
    this.#minus = withRoom(this.#minus, this.#minusLength + count)
    const plus = this.#positions
    const minus = this.#minus
    const plusLevel = this.isTurned(this.#filter) ? -1 : 1
    let plusLength = this.#length
    let minusLength = this.#minusLength
    for (let index = 0; index < count; index++) {
      const level = levels[from + index]! * plusLevel
      plus[plusLength] = first + index
      minus[minusLength] = first + index
      plusLength += (1 + level) >> 1
      minusLength += (1 - level) >> 1
    }
    this.#length = plusLength
    this.#minusLength = minusLength
  }

  #closeFilter(): void {
    this.#ends[2 * this.#filter] = this.#length
    this.#append(this.#minus.subarray(0, this.#minusLength))
    this.#ends[2 * this.#filter + 1] = this.#length
    this.#minusLength = 0
    this.#filter++
  }
}

/** The list, or a copy at least twice as long, with room for more than `length`. */
function withRoom(list: Uint16Array | Uint32Array, length: number): Uint16Array | Uint32Array {
  if (length < list.length) return list
  const size = Math.max(2 * list.length, length + 1)
  const larger = list instanceof Uint16Array ? new Uint16Array(size) : new Uint32Array(size)
  larger.set(list)
  return larger
}
