/** Ways to make a hostile file of a valid one. */
import { readSterna } from '../../packages/runtime/dist/index.js'
import { writeSterna } from '../../packages/sterna/dist/pack/index.js'
import { fileOf, sectionsOf } from './container.mjs'

/** Varints and bytes at the edges of what readers compare. */
const edges = [
  [0],
  [1],
  [0x7f],
  [0x80],
  [0xff],
  [0x80, 0x01],
  [0xff, 0x7f],
  [0x80, 0x80, 0x04],
  [0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
]
const numbers = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  16,
  31,
  64,
  255,
  256,
  4096,
  65_535,
  2 ** 20,
  2 ** 31 - 1,
  -1,
  -2,
  -(2 ** 31),
]
const floats = [0, -0, 1, -1, 0.5, 1e-38, 3.4e38, 1e30, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

/**
 * One hostile file. A file from `other` gives material to mix in. Most have right checksums: they must get past
 * the container to reach what lies behind it.
 */
export function mutateFile(file, other, random) {
  switch (random.below(10)) {
    case 0:
      return mutateBytes(file, random)
    case 1:
    case 2:
    case 3:
      return mutateSections(file, other, random)
    default:
      return mutateModel(file, random) ?? mutateSections(file, other, random)
  }
}

/** As a bad transfer would: checksums wrong. */
function mutateBytes(file, random) {
  const bytes = file.slice(0, random.below(3) === 0 ? random.below(file.length + 1) : file.length)
  for (let count = 1 + random.below(4); count > 0 && bytes.length > 0; count--)
    bytes[random.below(bytes.length)] = random.below(256)
  return bytes
}

function mutateSections(file, other, random) {
  const sections = sectionsOf(file)
  const chosen = sections[random.below(sections.length)]
  const material = sectionsOf(other).find(({ kind }) => kind === chosen.kind)?.bytes ?? chosen.bytes
  const list = [...chosen.bytes.subarray(0, 1 << 16)]
  const tail = chosen.bytes.subarray(1 << 16)
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(list.length + 1)
    const edge = edges[random.below(edges.length)]
    switch (random.below(7)) {
      case 0:
        list.splice(at, 1, random.below(256))
        break
      case 1:
        list.splice(at, edge.length, ...edge)
        break
      case 2:
        list.splice(at, 0, ...edge)
        break
      case 3:
        list.splice(at, 1 + random.below(8))
        break
      case 4: {
        const from = random.below(material.length + 1)
        list.splice(at, random.below(16), ...material.subarray(from, from + random.below(64)))
        break
      }
      case 5:
        if (at < list.length) list[at] ^= 1 << random.below(8)
        break
      default:
        list.splice(at, 0, ...list.slice(at, at + 1 + random.below(32)))
    }
  }
  chosen.bytes = Uint8Array.from([...list, ...tail])
  if (random.below(40) === 0) sections.splice(random.below(sections.length), 1)
  return fileOf(sections)
}

/** The network itself is changed; undefined where the writer refuses what came out. */
function mutateModel(file, random) {
  try {
    const { model } = readSterna(file)
    const copy = {
      ...model,
      inputs: structuredClone(model.inputs),
      outputs: [...model.outputs],
      nodes: structuredClone(model.nodes),
      tensors: structuredClone(model.tensors),
      ...(model.activations && { activations: structuredClone(model.activations) }),
    }
    for (let count = 1 + random.below(3); count > 0; count--) change(copy, random)
    return writeSterna(copy)
  } catch {
    return undefined
  }
}

function change(model, random) {
  const pick = list => list[random.below(list.length)]
  const node = pick(model.nodes)
  const values = [...model.inputs.map(({ name }) => name), ...model.nodes.flatMap(({ outputs }) => outputs)]
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      changeNumber(node.attributes, random)
      break
    case 3:
      node.inputs[random.below(node.inputs.length)] = pick([...values, ...model.tensors.keys()])
      break
    case 4: {
      const alike = ['Relu', 'Sigmoid', 'Tanh', 'HardSwish', 'Identity', 'GlobalAveragePool']
      const pairs = ['Add', 'Sub', 'Mul', 'Div', 'MatMul']
      for (const group of [alike, pairs]) if (group.includes(node.op)) node.op = pick(group)
      break
    }
    case 5: {
      const { shape } = pick(model.inputs)
      shape[random.below(shape.length)] = Math.abs(pick(numbers))
      break
    }
    case 6: {
      const { shape } = pick([...model.tensors.values()])
      const [a, b] = [random.below(shape.length), random.below(shape.length)]
      if (shape.length > 0) [shape[a], shape[b]] = [shape[b], shape[a]]
      if (random.below(3) === 0) shape.push(1)
      break
    }
    case 7: {
      const tensor = pick([...model.tensors.values()])
      const field = pick(['data', 'positive', 'negative', 'assignment', 'scale'])
      const at = random.below(tensor[field]?.length ?? 1)
      if (tensor[field] !== undefined)
        tensor[field][at] = field === 'assignment' ? random.below(3) - 1 : pick(floats)
      break
    }
    default: {
      const range = model.activations?.get(pick(values))
      if (range === undefined) model.outputs[random.below(model.outputs.length)] = pick(values)
      else if (random.below(2) === 0) range.scale = Math.fround(2 ** (random.below(250) - 125))
      else range.max = 1 + random.below(255)
      if (range !== undefined) range.zero = Math.min(range.zero, range.max)
    }
  }
}

/** One number somewhere in the attributes. */
function changeNumber(attributes, random) {
  const keys = Object.keys(attributes)
  if (keys.length === 0) return
  const key = keys[random.below(keys.length)]
  const value = attributes[key]
  const number = () => numbers[random.below(numbers.length)]
  if (Array.isArray(value)) {
    const at = random.below(Math.max(1, value.length))
    const change = random.below(6)
    value.splice(at, change === 0 ? 0 : 1, ...(change === 1 ? [] : [number()]))
  } else if (typeof value === 'boolean') attributes[key] = !value
  else attributes[key] = random.below(2) === 0 ? number() : floats[random.below(floats.length)]
}
