/** What a module does when it is instantiated: it turns its coded levels into what its kernels read. */
import {
  type Code,
  call,
  defineFunction,
  emitStates,
  i32,
  type ListRegion,
  type LookupRegion,
  memory,
  type WasmFunction,
} from 'sterna-runtime/compile'
import type { CodedRegion } from './code-regions.ts'
import {
  emitContinueTable,
  emitLists,
  emitLookupBits,
  emitOpenString,
  type ListForm,
  listParameters,
  lookupParameters,
} from './emit-expansion.ts'
import type { Fill } from './plan-literals.ts'
import type { Scratch } from './scratch.ts'

/** The function `name` comes last; those before it are what it calls. */
export function emitLoad(
  name: string,
  coded: readonly CodedRegion[],
  fills: readonly Fill[],
  scratch: Scratch,
): WasmFunction[] {
  const functions: WasmFunction[] = []
  const indices = new Map<string, number>()
  const indexOf = (key: string, emit: (name: string) => WasmFunction): number => {
    const index = indices.get(key) ?? functions.push(emit(key)) - 1
    indices.set(key, index)
    return index
  }
  const decodeStates = (): number => indexOf('decodeStates', own => emitStates(own, scratch.words))

  const writeLists = (region: ListRegion, coded: CodedRegion): Code => {
    const { recordBytes, entryBytes, group, inPart, sums } = region
    const form: ListForm = {
      recordBytes,
      entryBytes,
      group,
      inParts: inPart !== undefined,
      inPairs: sums !== undefined,
    }
    const decode = decodeStates()
    const index = indexOf(`lists ${JSON.stringify(form)}`, own => emitLists(own, form, scratch, decode))
    const { planeStep = 0, channelStep = 0, first = 0, channelsPerGroup = 0 } = sums ?? {}
    const given = {
      ...region,
      ...coded,
      partBytes: (inPart ?? 0) * entryBytes,
      sums: first,
      sumPlane: planeStep,
      sumChannel: 2 * planeStep - channelStep,
      sumGroup: 2 * channelsPerGroup * planeStep,
    }
    return [writeTable(region), call(index, ...listParameters.map(parameter => i32.const(given[parameter])))]
  }

  const writeLookupBits = (region: LookupRegion, coded: CodedRegion): Code => {
    const decode = decodeStates()
    const index = indexOf('lookupBits', own => emitLookupBits(own, scratch, decode))
    const given = { ...region, ...coded, blockBytes: 16 * Math.ceil(region.depth / 4) }
    return call(index, ...lookupParameters.map(parameter => i32.const(given[parameter])))
  }

  /** The words of the first kernel; the rest follows from them. */
  const writeTable = ({ offsets, kernel, depth }: ListRegion): Code => {
    const area = kernel[0] * kernel[1]
    const first = Math.min(area, depth)
    const step = depth > area ? offsets[area]! - offsets[0]! : 0
    const words = Array.from({ length: first }, (_, k) =>
      i32.store(i32.const(scratch.table), i32.const(offsets[k]! | 0), 4 * k),
    )
    const continueTable = indexOf('continueTable', emitContinueTable)
    const [start, end] = [scratch.table + 4 * area, scratch.table + 4 * depth]
    return depth <= area
      ? words
      : [words, call(continueTable, ...[start, end, 4 * area, step].map(i32.const))]
  }

  const bodies = coded.map((one): Code => {
    const { region, offset, length } = one
    const openString = indexOf('openString', own => emitOpenString(own, scratch))
    return [
      call(openString, i32.const(offset), i32.const(length)),
      region.kind === 'lists' ? writeLists(region, one) : writeLookupBits(region, one),
    ]
  })
  const filling = fills.map(({ address, value, length }) =>
    memory.fill(i32.const(address), i32.const(value), i32.const(length)),
  )
  return [...functions, defineFunction(name, [], () => [filling, bodies, memory.drop(0)])]
}
