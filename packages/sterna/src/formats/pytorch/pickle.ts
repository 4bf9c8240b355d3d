/**
 * A restricted pickle machine (protocols 2 to 5): it builds plain data and what its host allows, and nothing
 * else. No opcode loops or copies more than the pickle's own bytes account for.
 */
import type { ByteReader } from '../byte-reader.ts'
import {
  describePickleValue,
  isKind,
  type PickleDict,
  type PickleGlobal,
  type PickleKey,
  type PickleValue,
} from './values.ts'

/** What a pickle may name and call; each member throws SternaError for what it does not know. */
export interface PickleHost {
  global(module: string, name: string, reader: ByteReader): PickleGlobal
  call(callable: PickleGlobal, args: readonly PickleValue[], reader: ByteReader): PickleValue
  persistent(id: PickleValue, reader: ByteReader): PickleValue
}

/** A LONG of more bytes than this is no size, counter or magic number. */
const MAX_INTEGER_BYTES = 32

const text = new TextDecoder('utf-8')

/** Runs one pickle from the reader's position to its STOP; the reader then stands behind it. */
export function readPickle(reader: ByteReader, host: PickleHost): PickleValue {
  const memo = new Map<number, PickleValue>()
  let stack: PickleValue[] = []
  const marked: PickleValue[][] = []

  const damaged = (message: string) => reader.error('file/damaged', `pickle: ${message}`)
  const pop = (): PickleValue => {
    const value = stack.pop()
    if (value === undefined) throw damaged('the stack is empty')
    return value
  }
  const top = (): PickleValue => {
    const value = stack.at(-1)
    if (value === undefined) throw damaged('the stack is empty')
    return value
  }
  /** The argument may replace the stack, so it is not pushed on `stack` directly. */
  const push = (value: PickleValue) => {
    stack.push(value)
  }
  /** What was pushed since the last mark. */
  const popToMark = (): PickleValue[] => {
    const items = stack
    const outer = marked.pop()
    if (!outer) throw damaged('there is no mark')
    stack = outer
    return items
  }
  const get = (index: number) => {
    const value = memo.get(index)
    if (value === undefined) throw damaged(`nothing was remembered as ${index}`)
    push(value)
  }
  const popTuple = (count: number): PickleValue => {
    if (stack.length < count) throw damaged('the stack is empty')
    return { kind: 'tuple', items: stack.splice(stack.length - count) }
  }
  const setItems = (dict: PickleValue, items: readonly PickleValue[]) => {
    if (!isKind(dict, 'dict')) throw damaged(`items set on ${describePickleValue(dict)}`)
    if (items.length % 2 !== 0) throw damaged('a key without a value')
    for (let i = 0; i < items.length; i += 2) dict.entries.set(asKey(items[i]!), items[i + 1]!)
  }
  const asKey = (value: PickleValue): PickleKey => {
    if (value !== null && typeof value === 'object') {
      throw reader.error('file/unsupported', `pickle: a dictionary key that is ${describePickleValue(value)}`)
    }
    return value
  }
  const append = (list: PickleValue, items: readonly PickleValue[]) => {
    if (!isKind(list, 'list')) throw damaged(`items appended to ${describePickleValue(list)}`)
    for (const item of items) list.items.push(item)
  }
  const call = () => {
    const args = pop()
    const callable = pop()
    if (!isKind(args, 'tuple') || !isKind(callable, 'global')) {
      throw damaged(`a call of ${describePickleValue(callable)} with ${describePickleValue(args)}`)
    }
    push(host.call(callable, args.items, reader))
  }
  const integer = (byteCount: number): number | bigint => {
    if (byteCount > MAX_INTEGER_BYTES) {
      throw reader.error(
        'file/limit',
        `pickle: an integer of ${byteCount} bytes, at most ${MAX_INTEGER_BYTES}`,
      )
    }
    let value = 0n
    const bytes = reader.take(byteCount, 'integer')
    for (let i = byteCount - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
    const signed = BigInt.asIntN(8 * byteCount, value)
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed
  }

  for (;;) {
    const at = reader.position
    const opcode = reader.u8('pickle opcode')
    switch (opcode) {
      // === the machine itself ===
      case 0x80: {
        const protocol = reader.u8('pickle protocol')
        if (protocol < 2 || protocol > 5) {
          throw reader.error('file/unsupported', `pickle protocol ${protocol}, known are 2 to 5`, at)
        }
        break
      }
      case 0x95: // FRAME
        reader.take(8, 'frame length')
        break
      case 0x2e: // STOP
        if (stack.length !== 1 || marked.length > 0) throw damaged('more than one value at its end')
        return pop()
      case 0x28: // MARK
        marked.push(stack)
        stack = []
        break
      case 0x30: // POP
        if (stack.length === 0) popToMark()
        else pop()
        break
      case 0x31: // POP_MARK
        popToMark()
        break
      case 0x32: // DUP
        push(top())
        break
      // === memo ===
      case 0x68: // BINGET
        get(reader.u8('memo index'))
        break
      case 0x6a: // LONG_BINGET
        get(reader.u32('memo index'))
        break
      case 0x71: // BINPUT
        memo.set(reader.u8('memo index'), top())
        break
      case 0x72: // LONG_BINPUT
        memo.set(reader.u32('memo index'), top())
        break
      case 0x94: // MEMOIZE
        memo.set(memo.size, top())
        break
      // === scalars ===
      case 0x4e: // NONE
        push(null)
        break
      case 0x88: // NEWTRUE
        push(true)
        break
      case 0x89: // NEWFALSE
        push(false)
        break
      case 0x4a: // BININT
        push(reader.i32('integer'))
        break
      case 0x4b: // BININT1
        push(reader.u8('integer'))
        break
      case 0x4d: // BININT2
        push(reader.u16('integer'))
        break
      case 0x8a: // LONG1
        push(integer(reader.u8('integer length')))
        break
      case 0x8b: // LONG4
        push(integer(reader.u32('integer length')))
        break
      case 0x47: // BINFLOAT
        push(reader.f64BigEndian('float'))
        break
      // === text and bytes ===
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING
        push(text.decode(reader.take(reader.u8('string length'), 'string')))
        break
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING
        push(text.decode(reader.take(reader.u32('string length'), 'string')))
        break
      case 0x8d: // BINUNICODE8
        push(text.decode(reader.take(reader.u64('string length'), 'string')))
        break
      case 0x43: // SHORT_BINBYTES
        push(reader.take(reader.u8('bytes length'), 'bytes'))
        break
      case 0x42: // BINBYTES
        push(reader.take(reader.u32('bytes length'), 'bytes'))
        break
      case 0x8e: // BINBYTES8
        push(reader.take(reader.u64('bytes length'), 'bytes'))
        break
      // === containers ===
      case 0x5d: // EMPTY_LIST
        push({ kind: 'list', items: [] })
        break
      case 0x6c: // LIST
        push({ kind: 'list', items: popToMark() })
        break
      case 0x61: {
        // APPEND
        const item = pop()
        append(top(), [item])
        break
      }
      case 0x65: {
        // APPENDS
        const items = popToMark()
        append(top(), items)
        break
      }
      case 0x29: // EMPTY_TUPLE
        push({ kind: 'tuple', items: [] })
        break
      case 0x74: // TUPLE
        push({ kind: 'tuple', items: popToMark() })
        break
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        push(popTuple(opcode - 0x84))
        break
      case 0x7d: // EMPTY_DICT
        push({ kind: 'dict', entries: new Map() })
        break
      case 0x64: {
        // DICT
        const dict: PickleDict = { kind: 'dict', entries: new Map() }
        setItems(dict, popToMark())
        push(dict)
        break
      }
      case 0x73: {
        // SETITEM
        const value = pop()
        const key = pop()
        setItems(top(), [key, value])
        break
      }
      case 0x75: {
        // SETITEMS
        const items = popToMark()
        setItems(top(), items)
        break
      }
      // === names and calls ===
      case 0x63: // GLOBAL
        push(host.global(reader.line('module name'), reader.line('name'), reader))
        break
      case 0x93: {
        // STACK_GLOBAL
        const name = pop()
        const module = pop()
        if (typeof name !== 'string' || typeof module !== 'string') throw damaged('a name that is not text')
        push(host.global(module, name, reader))
        break
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        call()
        break
      case 0x62: {
        // BUILD: sets attributes; the only ones in a state dict (its `_metadata`) hold versions, not weights.
        pop()
        const target = top()
        if (!isKind(target, 'dict') && !isKind(target, 'tensor'))
          throw damaged(`attributes set on ${describePickleValue(target)}`)
        break
      }
      case 0x51: // BINPERSID
        push(host.persistent(pop(), reader))
        break
      default:
        throw reader.error('file/unsupported', `pickle opcode 0x${opcode.toString(16).padStart(2, '0')}`, at)
    }
  }
}
