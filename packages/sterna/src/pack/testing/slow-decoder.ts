/**
 * A second decoder of `.sterna` files, written from docs/format.md alone, without speed in mind and without the
 * runtime's code: what both agree on is what the document says.
 */
export class Bytes {
  at = 0
  readonly all: Uint8Array
  constructor(all: Uint8Array) {
    this.all = all
  }
  u(count: number): number {
    let value = 0
    for (let index = 0; index < count; index++) value += (this.all[this.at++] ?? 0) * 256 ** index
    return value
  }
  varint(): number {
    const byte = this.u(1)
    return byte < 128 ? byte : byte - 128 + 128 * this.varint()
  }
  list(count: number, next: () => number): number[] {
    return Array.from({ length: count }, next)
  }
}

const shift = (value: number, by: number) => Math.floor(value / 2 ** by)
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
export const product = (values: readonly number[]) => values.reduce((total, value) => total * value, 1)

function half(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1
  const exponent = shift(bits, 10) % 32
  const fraction = bits % 1024
  return exponent === 0 ? (sign * fraction) / 2 ** 24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The contents of each section, by its kind. */
function sectionsOf(file: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const header = new Bytes(file)
  header.at = 10
  const count = header.u(2)
  header.at = 16
  let start = 20 + 12 * count
  return new Map(
    Array.from({ length: count }, () => {
      const [kind, length] = [header.u(4), header.u(4)]
      header.at += 4
      start += length
      return [kind, file.subarray(start - length, start)] as const
    }),
  )
}

export function decodeActivations(file: Uint8Array) {
  const section = new Bytes(sectionsOf(file).get(5)!)
  const ranges = section
    .list(section.varint(), () => 0)
    .map(() => ({
      value: section.varint(),
      scale: single(section.u(4)),
      zero: section.u(1),
      max: section.u(1),
    }))
  if (section.at !== section.all.length) throw new Error('bytes behind the ranges')
  return ranges
}

function single(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!
}

export function decodeFile(file: Uint8Array): readonly { shape: number[]; values: number[] }[] {
  const sections = sectionsOf(file)
  const table = new Bytes(sections.get(1)!)
  let payload = 0
  return table
    .list(table.varint(), () => 0)
    .map(() => {
      const codec = table.u(1)
      const shape = table.list(table.varint(), () => table.varint())
      const next = (partCodec: number, filters = shape[0]) => {
        const length = table.varint()
        const bytes = new Bytes(sections.get(3)!.subarray(payload, payload + length))
        payload += length
        return decodePayload(partCodec, filters === undefined ? [] : [filters, ...shape.slice(1)], bytes)
      }
      if (codec !== 12) return { shape, values: next(codec) }
      const each = table.varint()
      const values: number[] = []
      for (let left = shape[0]!; left > 0; left -= each)
        values.push(...next(table.u(1), Math.min(each, left)))
      return { shape, values }
    })
}

export function decodePayload(codec: number, shape: readonly number[], bytes: Bytes): number[] {
  const elements = product(shape)
  const filters = shape[0] ?? 1
  const plainHalf = () => half(bytes.u(2))
  const scaled = (scales: number[], codes: number[]) =>
    codes.map((code, index) => Math.fround(code * scales[Math.floor((index * filters) / elements)]!))
  switch (codec) {
    case 1:
      return bytes.list(elements, () => single(bytes.u(4)))
    case 2:
      return bytes.list(elements, plainHalf)
    case 3:
      return scaled(
        bytes.list(filters, plainHalf),
        bytes.list(elements, () => ((bytes.u(1) + 128) % 256) - 128),
      )
    case 4:
    case 5: {
      const [magnitudes] = readMagnitudes(bytes.u(1), filters, plainHalf)
      const bits = (count: number) => {
        const start = bytes.at
        bytes.at += Math.ceil(count / 8)
        return Array.from({ length: count }, (_, i) => shift(bytes.all[start + shift(i, 3)]!, i % 8) % 2)
      }
      const mask = codec === 4 ? bits(elements) : new Array<number>(elements).fill(1)
      const signs = bits(sum(mask))
      let next = 0
      return magnitudes!(mask.map(bit => (bit === 0 ? 0 : 1 - 2 * signs[next++]!)))
    }
    case 7: {
      const coder = new Decisions(bytes)
      const learned = new Learned(coder, 250)
      return bytes.list(elements, () => codedHalf(coder, learned))
    }
    case 8: {
      const coder = new Decisions(bytes)
      const learned = new Learned(coder, 250)
      const scales = bytes.list(filters, () => codedHalf(coder, learned))
      const codes = new Learned(coder, 250)
      return scaled(
        scales,
        bytes.list(elements, () => learnedByte(codes) - 128),
      )
    }
    case 6:
    case 10:
      return decodeContexts(bytes, shape, codec === 10)
    case 11:
      return decodeTuned(bytes, shape)
    case 9:
      return decodeFast(bytes, shape)
    default:
      throw new Error(`codec ${codec}`)
  }
}

/** Reads the magnitudes; returns for each term what makes weights of assignments as they lie in the file. */
function readMagnitudes(
  layout: number,
  filters: number,
  next: () => number,
  terms = 1,
): readonly ((a: readonly number[]) => number[])[] {
  const list = (count: number) => Array.from({ length: count }, next)
  const count = layout === 1 ? filters : 1
  const levels = Array.from({ length: terms }, () => ({ positive: list(count), negative: list(count) }))
  const scale = layout === 2 ? list(filters) : undefined
  return levels.map(
    ({ positive, negative }) =>
      assignment =>
        assignment.map((stored, index) => {
          const filter = Math.floor((index * filters) / assignment.length)
          const factor = scale?.[filter] ?? 1
          if (stored === 0) return 0
          const magnitude = (stored > 0 ? positive : negative)[count === 1 ? 0 : filter]!
          return stored * factor * magnitude
        }),
  )
}

class Decisions {
  range = 2 ** 24 - 1
  code: number
  readonly bytes: Bytes
  constructor(bytes: Bytes) {
    this.bytes = bytes
    this.code = 65_536 * bytes.u(1) + 256 * bytes.u(1) + bytes.u(1)
  }
  next(p: number): number {
    const bound = shift(this.range * p, 16)
    const decision = this.code < bound ? 1 : 0
    if (decision === 1) this.range = bound
    else {
      this.range -= bound
      this.code -= bound
    }
    while (this.range < 65_536) {
      this.range *= 256
      this.code = 256 * this.code + this.bytes.u(1)
    }
    return decision
  }
}

/** Contexts by any key. */
class Learned {
  readonly coder: Decisions
  readonly memory: number
  readonly start: (key: string) => { P: number; n: number }
  readonly contexts = new Map<string, { P: number; n: number }>()
  constructor(coder: Decisions, memory: number, start = (_key: string) => ({ P: 2 ** 23, n: 0 })) {
    this.coder = coder
    this.memory = memory
    this.start = start
  }
  of(key: string): { P: number; n: number } {
    const context = this.contexts.get(key) ?? this.start(key)
    this.contexts.set(key, context)
    return context
  }
  p(key: string): number {
    const upper = shift(this.of(key).P, 8)
    return upper % 2 === 0 ? upper + 1 : upper
  }
  learn(key: string, decision: number): void {
    const context = this.of(key)
    const r = Math.floor(65_536 / (2 * context.n + 3))
    if (decision === 1) context.P += shift(shift(2 ** 24 - context.P, 9) * r, 6)
    else context.P -= shift(shift(context.P, 9) * r, 6)
    if (context.n < this.memory) context.n++
  }
  next(key: string): number {
    const decision = this.coder.next(this.p(key))
    this.learn(key, decision)
    return decision
  }
}

function learnedByte(learned: Learned): number {
  let bits = ''
  while (bits.length < 8) bits += learned.next(bits)
  return Number.parseInt(bits, 2)
}

function codedHalf(coder: Decisions, learned: Learned): number {
  let bits = learnedByte(learned)
  for (let place = 0; place < 8; place++) bits = 2 * bits + coder.next(32_768)
  return half(bits)
}

function geometry(shape: readonly number[]) {
  const [filters = 1, channels = 1] = shape
  const columns = shape.length > 2 ? shape.at(-1)! : 1
  return { filters, channels, columns, rows: product(shape) / (filters * channels * columns) }
}

interface Modelled {
  readonly d: number
  readonly e: number
  readonly memory: number
  readonly mixed: boolean
  readonly deadFilters: boolean
  readonly deadChannels: boolean
  readonly set: number
  readonly before: readonly number[] | undefined
}

function decodeContexts(bytes: Bytes, shape: readonly number[], mixed: boolean): number[] {
  const flags = bytes.u(1)
  const fixed = shift(flags, 2) % 2 === 1
  const [d, e] = fixed ? [bytes.u(2), bytes.u(2)] : [bytes.u(1), bytes.u(1)]
  const coder = new Decisions(bytes)
  const upper = new Learned(coder, 250)
  const [weights] = readMagnitudes(flags % 4, shape[0] ?? 1, () => codedHalf(coder, upper))
  if (fixed) {
    const next = () => (coder.next(d) === 0 ? 0 : 1 - 2 * coder.next(e))
    return weights!(Array.from({ length: product(shape) }, next))
  }
  const assignment = decodeAssignment(coder, geometry(shape), {
    d,
    e,
    memory: [30, 60, 125, 250, 500, 1000][shift(flags, 5)]!,
    mixed,
    deadFilters: shift(flags, 3) % 2 === 1,
    deadChannels: shift(flags, 4) % 2 === 1,
    set: 0,
    before: undefined,
  })
  return weights!(assignment)
}

function decodeTuned(bytes: Bytes, shape: readonly number[]): number[] {
  const flags = bytes.u(1)
  const modes = bytes.u(1)
  const bit = (value: number, place: number) => shift(value, place) % 2 === 1
  const terms = Array.from({ length: (modes % 4) + 1 }, () => ({ d: bytes.u(1), e: bytes.u(1) }))
  const coder = new Decisions(bytes)
  const upper = new Learned(coder, 250)
  const weights = readMagnitudes(flags % 4, shape[0] ?? 1, () => codedHalf(coder, upper), terms.length)
  const given = geometry(shape)
  const [channelsFirst, columnsFirst] = [bit(flags, 6), bit(flags, 7)]
  const { filters, channels, rows, columns } = given
  const exchanged = {
    filters: channelsFirst ? channels : filters,
    channels: channelsFirst ? filters : channels,
    rows: columnsFirst ? columns : rows,
    columns: columnsFirst ? rows : columns,
  }
  let before: number[] | undefined
  const total = new Array<number>(product(shape)).fill(0)
  terms.forEach(({ d, e }, term) => {
    const coded = decodeAssignment(coder, exchanged, {
      d,
      e,
      memory: 500,
      mixed: bit(modes, 2),
      deadFilters: bit(flags, 2),
      deadChannels: bit(flags, 3),
      set: shift(flags, 4) % 4,
      before,
    })
    before = coded
    const assignment = total.map((_, index) => {
      const column = index % columns
      const row = Math.floor(index / columns) % rows
      const channel = Math.floor(index / (columns * rows)) % channels
      const filter = Math.floor(index / (columns * rows * channels))
      const [f, c] = channelsFirst ? [channel, filter] : [filter, channel]
      const [y, x] = columnsFirst ? [column, row] : [row, column]
      return coded[((f * exchanged.channels + c) * exchanged.rows + y) * exchanged.columns + x]!
    })
    for (const [index, value] of weights[term]!(assignment).entries())
      total[index] = Math.fround(total[index]! + value)
  })
  return total
}

function decodeAssignment(
  coder: Decisions,
  { filters, channels, rows, columns }: ReturnType<typeof geometry>,
  { d, e, memory, mixed, deadFilters, deadChannels, set, before }: Modelled,
): number[] {
  const K = rows * columns
  const live = (signalled: boolean, count: number) => {
    const learned = new Learned(coder, 125)
    return Array.from({ length: count }, () => !signalled || learned.next('') === 1)
  }
  const liveFilters = live(deadFilters, filters)
  const liveChannels = live(deadChannels, channels)
  const learned = new Learned(coder, memory, key => ({ P: 65_536 * (key.startsWith('-') ? e : d), n: 2 }))
  const mix = new Map<string, number[]>()
  const a: number[][][][] = Array.from({ length: filters }, () =>
    Array.from({ length: channels }, () =>
      Array.from({ length: rows }, () => new Array<number>(columns).fill(0)),
    ),
  )
  const c = new Array<number>(channels).fill(0)
  let F = 0
  liveFilters.forEach((filterLives, filter) => {
    if (!filterLives) return
    let f = 0
    let C = 0
    liveChannels.forEach((channelLives, channel) => {
      if (!channelLives) return
      const qc = L(16 * c[channel]! + d) - L(F * K + 16) - L(d) + 64
      const qf = L(16 * f + d) - L(C * K + 16) - L(d) + 64
      const kernel: number[] = []
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const near = (dy: number, dx: number): number | undefined =>
            K > 1 ? a[filter]![channel]![row + dy]?.[column + dx] : a[filter + dy]?.[channel + dx]?.flat()[0]
          const left = near(0, -1) ?? 0
          const up = near(-1, 0) ?? 0
          const neighbours = left * up !== 0 ? (left === up ? 2 : 3) : left + up === 0 ? 0 : 1
          const b = before?.[((filter * channels + channel) * rows + row) * columns + column] ?? 0
          const found = kernel.filter(level => level !== 0).length
          const others = [
            [near(0, -1), near(-1, 0), near(-1, -1), near(-1, 1)],
            [near(0, -1), near(-1, 0), near(0, -2), near(-2, 0)],
          ].map(list => list.map(value => value ?? 'none').join())
          const rest = [`2 ${others[0]}`, `3 ${others[1]}`, `4 ${seven(qc, 3)} ${seven(qf, 3)}`]
          const decide = (kind: string, first: string): number => {
            const name = `${kind} ${kind === '-' || b === 0 ? b : 'some'}`
            const keys = [`${name} 1 ${first}`, ...rest.map(key => `${name} ${key}`)]
            if (!mixed) return learned.next(keys[0]!)
            const mixture = `${b} ${kind === '-' ? kind : neighbours}`
            const W = mix.get(mixture) ?? [22_000, 22_000, 22_000, 22_000]
            mix.set(mixture, W)
            const z = keys.map(key => stretch(learned.p(key)))
            const total = shift(sum(z.map((value, index) => shift(W[index]! * value, 2))), 14)
            const p = logistic(Math.min(2047, Math.max(-2047, total)))
            const decision = coder.next(p)
            z.forEach((value, index) => {
              const moved = W[index]! + shift(value * (65_536 * decision - p), 14)
              W[index] = Math.min(524_287, Math.max(-524_287, moved))
            })
            for (const key of keys) learned.learn(key, decision)
            return decision
          }
          const plane = `${neighbours} ${seven(qc + qf, 4)}`
          const matrix = Math.min(12, Math.max(0, shift(qc + qf + 4, 3) + 6))
          const inKernel = `${Math.min(63, kernel.length)} ${Math.min(8, found)} ${neighbours}`
          const balance = Math.min(2, Math.max(-2, sum(kernel)))
          const isKernelSet = !mixed && set === 1
          const nonZero = mixed ? plane : [plane, inKernel, `${matrix}`][set]!
          let level = decide('0', nonZero)
          if (level === 1) level -= 2 * decide('-', `${left + up}${isKernelSet ? ` ${balance}` : ''}`)
          kernel.push(level)
          a[filter]![channel]![row]![column] = level
        }
      }
      const found = kernel.filter(level => level !== 0).length
      f += found
      c[channel]! += found
      C++
    })
    F++
  })
  return a.flat(3)
}

function L(v: number): number {
  const k = Math.floor(Math.log2(v))
  return 16 * k + Math.floor((16 * v) / 2 ** k) - 16
}

const seven = (q: number, s: number) => Math.min(6, Math.max(0, shift(q + 2 ** (s - 1), s) + 3))

const T = [
  22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11_955, 17_625, 24_743, 32_768, 40_793,
  47_911, 53_581, 57_724, 60_565, 62_428, 63_615, 64_357, 64_816, 65_097, 65_269, 65_374, 65_438, 65_476,
  65_500, 65_514,
]

function logistic(x: number): number {
  const i = shift(x + 2048, 7)
  const j = (x + 2048) % 128
  return shift(T[i]! * (128 - j) + T[i + 1]! * j + 64, 7)
}

function stretch(p: number): number {
  for (let x = -2047; x < 2047; x++) if (logistic(x) >= 16 * shift(p, 4)) return x
  return 2047
}

function decodeFast(bytes: Bytes, shape: readonly number[]): number[] {
  const flags = bytes.u(1)
  const [weights] = readMagnitudes(flags % 4, shape[0] ?? 1, () => half(bytes.u(2)))
  const one = shift(flags, 2) === 1
  const contexts = bytes.list(one ? 1 : 9, () => bytes.u(3))
  const x = bytes.list(4, () => bytes.u(4))
  const { rows, columns } = geometry(shape)
  const [height, width] = rows * columns > 1 ? [rows, columns] : [1, 8]
  const elements = product(shape)
  const groups = Math.ceil(elements / (4 * height * width))
  const a = new Array<number>(groups * 4 * height * width).fill(0)
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        for (let k = 0; k < 4; k++) {
          const at = ((4 * group + k) * height + row) * width + column
          const left = column > 0 ? a[at - 1]! : 0
          const up = row > 0 ? a[at - width]! : 0
          const packed = contexts[one ? 0 : 3 * left + up + 4]!
          const z = packed % 4096
          const p = shift(packed, 12)
          const slot = x[k]! % 4096
          const [level, begin, frequency] =
            slot < z ? [0, 0, z] : slot < z + p ? [1, z, p] : [-1, z + p, 4096 - z - p]
          a[at] = level!
          x[k] = frequency! * shift(x[k]!, 12) + slot - begin!
          if (x[k]! < 2 ** 15) x[k] = 65_536 * x[k]! + bytes.u(2)
        }
      }
    }
  }
  return weights!(a.slice(0, elements))
}
