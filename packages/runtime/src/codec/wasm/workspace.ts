/** The decoders' memory, and their functions on it. */
import type { RangeDecoder } from '../range-decoder.ts'
import { decoders, mixedDecoder } from './decoders.ts'
import { at, type Word } from './layout.ts'

type Decoder = (...numbers: number[]) => void

const pageBytes = 0x1_0000

/** Decoders that most files need. */
interface Decoders {
  /** `source/checksum.ts` */
  readonly addToChecksum: Decoder
  /** `source/halves.ts` */
  readonly decodeHalves: Decoder
  /** Decodes the levels of a filter: `source/filter.ts`, `source/set-levels.ts`. */
  readonly decodeFilter: Decoder
  /** Decodes blocks of a `fast` payload: `source/states.ts`. */
  readonly decodeStates: Decoder
  /** Sorts the places of a filter by sign: `source/signs.ts`. */
  readonly sortSigns: Decoder
  readonly sortWideSigns: Decoder
}

/** The same as `decodeFilter` with mixed contexts: `source/mixed-levels.ts`. */
interface MixedDecoder {
  readonly decodeMixedFilter: Decoder
}

export interface Workspace extends Decoders {
  readonly memory: WebAssembly.Memory
  /** Compiled when it is asked for. */
  mixed(): MixedDecoder
}

/** Lives as long as the garbage collector lets it: over the tensors of a file, but not until the next file. */
let kept: WeakRef<Workspace> | undefined
const modules = new Map<string, WebAssembly.Module>()

/**
 * A workspace whose memory has `bytes` at least, until somebody asks for more. Undefined where the host has no
 * WebAssembly, or a page's policy forbids compiling, or there is not so much memory.
 */
export function openWorkspace(bytes: number): Workspace | undefined {
  try {
    const workspace = kept?.deref() ?? createWorkspace()
    kept = new WeakRef(workspace)
    const missing = bytes - workspace.memory.buffer.byteLength
    if (missing > 0) workspace.memory.grow(Math.ceil(missing / pageBytes))
    return workspace
  } catch {
    return undefined
  }
}

function createWorkspace(): Workspace {
  const memory = new WebAssembly.Memory({ initial: 1 })
  return {
    memory,
    ...instantiate<Decoders>(decoders, memory),
    mixed: () => instantiate<MixedDecoder>(mixedDecoder, memory),
  }
}

function instantiate<Exports>(base64: string, memory: WebAssembly.Memory): Exports {
  const module =
    modules.get(base64) ??
    new WebAssembly.Module(Uint8Array.from(atob(base64), character => character.charCodeAt(0)))
  modules.set(base64, module)
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports
}

/** Hands a decoder's state and what is left of its string, which goes to `address`, to the functions. */
export function lendCoder(
  memory: WebAssembly.Memory,
  { range, point, rest }: RangeDecoder,
  address: number,
): void {
  setWords(new Int32Array(memory.buffer), { range, point, next: address, end: address + rest.length })
  new Uint8Array(memory.buffer).set(rest, address)
}

/** Takes the state back. */
export function returnCoder(memory: WebAssembly.Memory, coder: RangeDecoder, address: number): void {
  const words = new Int32Array(memory.buffer)
  const word = (name: Word): number => words[at(name) / 4]!
  coder.resume(word('range'), word('point'), word('next') - address)
}

/** Writes words of the layout. */
export function setWords(memory: Int32Array, values: Partial<Record<Word, number>>): void {
  for (const [word, value] of Object.entries(values)) memory[at(word as Word) / 4] = value
}
