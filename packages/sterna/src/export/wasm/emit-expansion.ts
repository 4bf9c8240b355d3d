/** Functions of a module that turn coded levels into what kernels read. */
import {
  advance,
  at,
  branch,
  type Code,
  call,
  defineFunction,
  doWhile,
  get,
  i32,
  type ListRegion,
  type Local,
  type Locals,
  memory,
  repeatWhile,
  select,
  set,
  type WasmFunction,
  when,
} from 'sterna-runtime/compile'
import { fastContexts, fastLanes, frequencyBits } from 'sterna-runtime/format'
import type { Scratch } from './scratch.ts'

const constant = i32.const

/** Opens a string: call with (its offset in the strings, its length). */
export function emitOpenString(name: string, { words, spans, string }: Scratch): WasmFunction {
  return defineFunction(name, ['i32', 'i32'], (parameters, local) => {
    const [offset, length] = parameters as Locals<2>
    const [from, to, packed, positive] = [local('i32'), local('i32'), local('i32'), local('i32')]
    const total = 1 << frequencyBits
    const high = (value: Code): Code => i32.shiftLeft(value, constant(16))
    const zero = i32.and(get(packed), constant(total - 1))
    // As the reader of `fast` payloads makes them: where −1 and +1 begin, then frequency and begin of 0, +1 and −1.
    const writeSpans = [
      set(packed, i32.and(i32.load(get(from)), constant(0xff_ffff))),
      set(positive, i32.shiftRightUnsigned(get(packed), constant(frequencyBits))),
      set(packed, zero),
      i32.store(get(to), i32.or(high(i32.add(get(packed), get(positive))), get(packed))),
      i32.store(get(to), high(get(packed)), 4),
      i32.store(get(to), i32.or(high(get(positive)), get(packed)), 8),
      i32.store(
        get(to),
        i32.or(
          high(i32.sub(i32.sub(constant(total), get(packed)), get(positive))),
          i32.add(get(packed), get(positive)),
        ),
        12,
      ),
    ]
    const states = string + 3 * fastContexts
    return [
      memory.init(0, constant(string), get(offset), get(length)),
      set(from, constant(string)),
      set(to, constant(spans)),
      repeatWhile(i32.lessThan(get(from), constant(states)), [
        writeSpans,
        advance(from, constant(3)),
        advance(to, constant(16)),
      ]),
      memory.copy(constant(words + at('state0')), constant(states), constant(4 * fastLanes)),
      i32.store(constant(words), constant(states + 4 * fastLanes), at('next')),
      i32.store(constant(words), i32.add(get(length), constant(string)), at('end')),
    ]
  })
}

/** Continues a table: call with (place, end, bytes back to what goes before, what every word is more than that). */
export function emitContinueTable(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32'], parameters => {
    const [place, end, back, step] = parameters as Locals<4>
    return repeatWhile(i32.lessThan(get(place), get(end)), [
      i32.store(get(place), i32.add(i32.load(i32.sub(get(place), get(back))), get(step))),
      advance(place, constant(4)),
    ])
  })
}

/** Of a layer: bytes of a filter's levels, its rounds of four blocks, rows and columns of a block, weights of a filter. */
export const filterParameters = ['filters', 'filterBytes', 'rounds', 'rows', 'columns', 'depth'] as const

type Given<Name extends string> = Readonly<Record<Name, Local>>

const named = <Name extends string>(names: readonly Name[], locals: readonly Local[]): Given<Name> =>
  Object.fromEntries(names.map((name, index) => [name, locals[index]!])) as Record<Name, Local>

/** Decodes the levels of the next filter. */
const nextFilter = (
  { levels, spans }: Scratch,
  decodeStates: number,
  { filterBytes, rounds, rows, columns }: Given<(typeof filterParameters)[number]>,
): Code => [
  memory.fill(constant(levels), constant(0), get(filterBytes)),
  call(decodeStates, constant(levels), get(rounds), get(rows), get(columns), constant(spans)),
]

/** What differs between lists; everything else is a parameter. */
export interface ListForm extends Pick<ListRegion, 'recordBytes' | 'entryBytes' | 'group'> {
  /** Whether a filter may go on in the next record. */
  readonly inParts: boolean
  /** Whether an entry may stand for two neighbours. */
  readonly inPairs: boolean
}

/** Of a layer of lists, in the order in which the function takes them. */
export const listParameters = [
  ...filterParameters,
  'filtersPerGroup',
  'groupStep',
  'filler',
  'records',
  'entries',
  /** Most bytes of a list in one record. */
  'partBytes',
  /** The first sum of neighbours; bytes of a plane of them; steps from channel to channel and from group to group. */
  'sums',
  'sumPlane',
  'sumChannel',
  'sumGroup',
] as const

/**
 * Writes all lists of a layer, and their ends into its records. Call with `listParameters`.
 * @param decodeStates index of that function
 */
export function emitLists(
  name: string,
  { recordBytes, entryBytes, group, inParts, inPairs }: ListForm,
  scratch: Scratch,
  decodeStates: number,
): WasmFunction {
  return defineFunction(name, new Array(listParameters.length).fill('i32'), (parameters, local) => {
    const given = named(listParameters, parameters)
    const { filters, rows, columns, depth, filtersPerGroup, records, entries } = given
    const number = (): Local => local('i32')
    const [level, levelsEnd, place, offset] = [number(), number(), number(), number()]
    const [base, inGroup, sums, groupSums] = [number(), number(), number(), number()]
    const [row, column, from, count] = [number(), number(), number(), number()]
    /** Where the lists of +1 and of −1 go on in their rooms. */
    const ends = [number(), number()] as const
    const store = entryBytes === 4 ? i32.store : i32.store16
    const levelHere = i32.load8Signed(get(level))
    const append = (end: Local): Code => store(get(end), get(offset))

    /** An entry where the sum is 2, none where it is 1 or 0: branches would be mispredicted. */
    const taken = (sum: Code): Code => i32.mul(i32.shiftRightUnsigned(sum, constant(1)), constant(entryBytes))
    const sortSigns: Code = [
      set(level, constant(scratch.levels)),
      set(place, constant(scratch.table)),
      repeatWhile(i32.lessThan(get(level), get(levelsEnd)), [
        set(offset, i32.add(i32.load(get(place)), get(base))),
        ends.map(append),
        advance(ends[0], taken(i32.add(constant(1), levelHere))),
        advance(ends[1], taken(i32.sub(constant(1), levelHere))),
        advance(level, constant(1)),
        advance(place, constant(4)),
      ]),
    ]

    /** Takes each weight of a sign with its right or else its lower neighbour of that sign, which is then used up. */
    const pairSigns: Code = ([1, -1] as const).map((sign, list) => {
      const neighbour = (step: Code): Code => i32.add(get(level), step)
      const isFree = (left: Local, step: Code): Code =>
        i32.and(
          i32.lessThan(constant(1), get(left)),
          i32.eq(i32.load8Signed(neighbour(step)), constant(sign)),
        )
      const take: Code = [
        set(offset, i32.load(get(place))),
        branch(
          isFree(column, constant(1)),
          [advance(offset, get(sums)), i32.store8(neighbour(constant(1)), constant(0))],
          branch(
            isFree(row, get(columns)),
            [
              advance(offset, i32.add(get(sums), get(given.sumPlane))),
              i32.store8(neighbour(get(columns)), constant(0)),
            ],
            advance(offset, get(base)),
          ),
        ),
        append(ends[list]!),
        advance(ends[list]!, constant(entryBytes)),
      ]
      return [
        set(level, constant(scratch.levels)),
        set(place, constant(scratch.table)),
        set(sums, get(groupSums)),
        repeatWhile(i32.lessThan(get(level), get(levelsEnd)), [
          set(row, get(rows)),
          repeatWhile(get(row), [
            set(column, get(columns)),
            repeatWhile(get(column), [
              when(i32.eq(levelHere, constant(sign)), take),
              advance(level, constant(1)),
              advance(place, constant(4)),
              advance(column, constant(-1)),
            ]),
            advance(row, constant(-1)),
          ]),
          advance(sums, get(given.sumChannel)),
        ]),
      ]
    })

    /** What is left of a list, or a part of it, goes behind the last one. */
    const writeList = (end: Local, start: Code, field: number): Code => [
      set(from, start),
      set(count, i32.sub(get(end), get(from))),
      inParts
        ? set(count, select(get(count), get(given.partBytes), i32.lessThan(get(count), get(given.partBytes))))
        : [],
      memory.copy(get(entries), get(from), get(count)),
      advance(entries, get(count)),
      inParts ? advance(from, get(count)) : [],
      group === 1
        ? []
        : repeatWhile(i32.and(get(count), constant(group * entryBytes - 1)), [
            store(get(entries), get(given.filler)),
            advance(entries, constant(entryBytes)),
            advance(count, constant(entryBytes)),
          ]),
      i32.store(get(records), get(entries), 4 * field),
    ]
    const starts = inParts ? ([number(), number()] as const) : undefined
    const nextRecord = advance(records, constant(recordBytes))
    const distribute: Code =
      starts === undefined
        ? [ends.map((end, list) => writeList(end, constant(scratch.rooms[list]!), list)), nextRecord]
        : [
            starts.map((start, list) => set(start, constant(scratch.rooms[list]!))),
            doWhile(
              [
                ends.map((end, list) => [
                  writeList(end, get(starts[list]!), list),
                  set(starts[list]!, get(from)),
                ]),
                set(count, i32.load8(get(records), 17)),
                nextRecord,
              ],
              get(count),
            ),
          ]
    return [
      set(levelsEnd, i32.add(get(depth), constant(scratch.levels))),
      set(groupSums, get(given.sums)),
      repeatWhile(get(filters), [
        nextFilter(scratch, decodeStates, given),
        ends.map((end, list) => set(end, constant(scratch.rooms[list]!))),
        inPairs ? pairSigns : sortSigns,
        distribute,
        advance(inGroup, constant(1)),
        when(i32.eq(get(inGroup), get(filtersPerGroup)), [
          set(inGroup, constant(0)),
          advance(base, get(given.groupStep)),
          advance(groupSums, get(given.sumGroup)),
        ]),
        advance(filters, constant(-1)),
      ]),
    ]
  })
}

/** Of a lookup layer: where it begins, and bytes of sixteen filters. */
export const lookupParameters = [...filterParameters, 'address', 'blockBytes'] as const

/** Sets the bits of a lookup layer, in memory that is 0. Call with `lookupParameters`. */
export function emitLookupBits(name: string, scratch: Scratch, decodeStates: number): WasmFunction {
  return defineFunction(name, new Array(lookupParameters.length).fill('i32'), (parameters, local) => {
    const given = named(lookupParameters, parameters)
    const { filters, depth, address, blockBytes } = given
    const number = (): Local => local('i32')
    const [filter, inBlock, weight, level, byte] = [number(), number(), number(), number(), number()]
    return repeatWhile(i32.lessThan(get(filter), get(filters)), [
      nextFilter(scratch, decodeStates, given),
      set(inBlock, i32.and(get(filter), constant(15))),
      // The lower bytes of eight pairs hold filters 0 to 7, the upper ones 8 to 15.
      set(
        byte,
        i32.add(
          get(address),
          i32.or(
            i32.shiftLeft(i32.and(get(inBlock), constant(7)), constant(1)),
            i32.shiftRightUnsigned(get(inBlock), constant(3)),
          ),
        ),
      ),
      set(weight, constant(0)),
      repeatWhile(i32.lessThan(get(weight), get(depth)), [
        set(level, i32.load8Signed(get(weight), scratch.levels)),
        when(
          get(level),
          i32.store8(
            get(byte),
            i32.or(
              i32.load8(get(byte)),
              i32.shiftLeft(
                constant(1),
                i32.or(
                  i32.and(get(weight), constant(3)),
                  // 4 for −1.
                  i32.and(get(level), constant(4)),
                ),
              ),
            ),
          ),
        ),
        advance(weight, constant(1)),
        when(i32.eq(i32.and(get(weight), constant(3)), constant(0)), advance(byte, constant(16))),
      ]),
      advance(filter, constant(1)),
      when(i32.eq(get(inBlock), constant(15)), advance(address, get(blockBytes))),
    ])
  })
}
