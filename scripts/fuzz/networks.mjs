/** Random valid networks: the ground that hostile files are grown from. */
import { integerValues } from '../../packages/runtime/dist/index.js'
import {
  createRandom,
  gemmAttributes,
  ModelSketch,
  randomDense,
  randomTernary,
} from '../../packages/runtime/dist/kernels/testing/models.js'

/** A chain of up to eight layers with branches and odd geometries; `random` is a `Random` of the toolkit. */
export function randomNetwork(random) {
  const m = new ModelSketch()
  const weights = createRandom(random.uint32())
  const pick = list => list[random.below(list.length)]
  let shape = [1, pick([1, 2, 3, 4, 8, 16]), 1 + random.below(18), 1 + random.below(18)]
  let x = m.input('x', shape)
  const made = [{ x, shape }]
  // Half of the networks are made of what can work on bytes.
  const forBytes = random.below(2) === 0
  const layer = (outputs, inputs) => {
    const dims = [outputs, ...inputs]
    const isTernary = forBytes || random.below(5) > 0
    const zeros = pick([0, 0.3, 0.5, 0.8, 0.95, 1])
    const magnitudes = pick([1, outputs])
    const weight = isTernary
      ? randomTernary(weights, dims, zeros, { magnitudes, equal: random.below(2) === 0 })
      : randomDense(weights, dims)
    const bias = random.below(4) > 0 ? [m.tensor(randomDense(weights, [outputs]))] : []
    return [m.tensor(weight), ...bias]
  }
  const positive = dims => {
    const tensor = randomDense(weights, dims)
    return m.tensor({ ...tensor, data: tensor.data.map(value => 1.5 + value) })
  }
  const window = () => {
    const kernel = [1 + random.below(Math.min(7, shape[2])), 1 + random.below(Math.min(7, shape[3]))]
    const strides = [1 + random.below(3), 1 + random.below(3)]
    const pads = [0, 1, 2, 3].map(side => random.below(Math.min(3, kernel[side % 2])))
    return { kernel, strides, pads }
  }
  const after = ({ kernel, strides, pads }, channels) => [
    1,
    channels,
    ...[0, 1].map(
      axis => Math.floor((shape[2 + axis] + pads[axis] + pads[axis + 2] - kernel[axis]) / strides[axis]) + 1,
    ),
  ]
  for (let count = 1 + random.below(8); count > 0 && shape.length === 4; count--) {
    switch (random.below(forBytes ? 7 : 11)) {
      case 0:
      case 1:
      case 2: {
        const geometry = window()
        const groups = pick([1, 1, 1, shape[1], shape[1] % 2 === 0 ? 2 : 1])
        const outputs = groups * (1 + random.below(Math.ceil(24 / groups)))
        const { kernel, strides, pads } = geometry
        const inputs = layer(outputs, [shape[1] / groups, ...kernel])
        x = m.node('Conv', [x, ...inputs], { strides, dilations: [1, 1], pads, groups })
        shape = after(geometry, outputs)
        break
      }
      case 3:
        x = m.node(
          pick(forBytes ? ['Relu', 'Identity'] : ['Relu', 'Sigmoid', 'HardSwish', 'Identity']),
          [x],
          {},
        )
        break
      case 4: {
        const geometry = window()
        const op = pick(['MaxPool', 'AveragePool'])
        const attributes =
          op === 'MaxPool' ? geometry : { ...geometry, countIncludePad: random.below(2) === 0 }
        x = m.node(op, [x], attributes)
        shape = after(geometry, shape[1])
        break
      }
      case 5: {
        const mates = made.filter(value => `${value.shape}` === `${shape}`)
        if (mates.length > 0) x = m.node(pick(forBytes ? ['Add'] : ['Add', 'Mul']), [x, pick(mates).x], {})
        break
      }
      case 6: {
        const op = pick(['Tanh', 'HardSigmoid'])
        x = m.node(op, [x], op === 'Tanh' ? {} : { alpha: 0.2, beta: 0.5 })
        // Of far larger numbers it would show the last digits of whatever came before.
        const axis = random.below(8) - 4
        if (random.below(2) === 0) x = m.node(pick(['Softmax', 'LogSoftmax']), [x], { axis })
        break
      }
      case 7:
        x = m.node('BatchNormalization', [x, ...[0, 1, 2, 3].map(() => positive([shape[1]]))], {
          epsilon: 1e-5,
          momentum: 0.9,
        })
        break
      case 8: {
        const other = shape.map(size => (random.below(2) === 0 ? 1 : size)).slice(random.below(4))
        const operands = [x, positive(other)]
        x = m.node(pick(['Add', 'Sub', 'Mul', 'Div']), operands, {})
        break
      }
      case 9: {
        const factors = m.node('Sigmoid', [m.node('GlobalAveragePool', [x], {})], {})
        x = m.node('Mul', random.below(2) === 0 ? [x, factors] : [factors, x], {})
        break
      }
      default:
        x = m.node('Clip', [x], { min: pick([0, -1]), max: pick([1, 6]) })
    }
    made.push({ x, shape })
  }
  x = m.node('Flatten', [x], { axis: 1 })
  const features = shape[1] * shape[2] * shape[3]
  if (features <= 4096) x = m.node('Gemm', [x, ...layer(1 + random.below(40), [features])], gemmAttributes)
  return withRanges(m.model(x), random)
}

/** Ranges for integer arithmetic: none, those that the runtime asks for, or some of any value. */
function withRanges(model, random) {
  const draw = random.below(5)
  if (draw === 0) return model
  const all = [...model.inputs.map(({ name }) => name), ...model.nodes.flatMap(({ outputs }) => outputs)]
  const asked = integerValues(model)
  const values =
    draw === 1 ? all.map(name => ({ name, maxLevel: 255 })).filter(() => random.below(3) > 0) : asked
  const ranges = values.map(({ name, maxLevel }) => {
    const max = Math.min([127, 127, 255, 63, 15, 1][random.below(6)], draw === 3 ? maxLevel : 255)
    const zero = random.below(3) === 0 ? 0 : random.below(max + 1)
    return [name, { scale: Math.fround(2 ** -random.below(9)), zero, max }]
  })
  return ranges.length === 0 ? model : { ...model, activations: new Map(ranges) }
}
